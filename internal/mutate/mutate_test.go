//go:build unix

package main

import (
	"bytes"
	"context"
	"errors"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The whole of the sample: its forms.go is all noticed, which is only so if each change does what it says, and its tests pass with
// none on.
func TestSample(t *testing.T) {
	before := listing(t, ".")
	var out, said bytes.Buffer
	if err := run(context.Background(), []string{"-n", "0", "-memory", "16", "-patience", "1", "-tests", "./testdata/user", "./testdata/sample"}, &out, &said); err != nil {
		t.Fatal(err)
	}
	survivors, summary, _ := strings.Cut(out.String(), "\n\n")
	want := []string{
		`sample.go:13:36 in Admits: age >= 18 → age > 18 | func Admits(age int) bool { return age >= 18 }`,
		`sample.go:13:43 in Admits: 18 → 17 | func Admits(age int) bool { return age >= 18 }`,
		`sample.go:16:33 in Unused: n * n → 0 | func Unused(n int) int { return n * n } (no test gets there)`,
		`sample.go:16:33 in Unused: n * n → n / n | func Unused(n int) int { return n * n } (no test gets there)`,
	}
	if got := strings.Split(survivors, "\n"); !slices.Equal(got, want) {
		t.Errorf("survivors:\n%s\nwant:\n%s", survivors, strings.Join(want, "\n"))
	}
	for _, part := range []string{"2 of them in code that no test runs", "same program     2 ", "of them by the time that they took"} {
		if !strings.Contains(summary, part) {
			t.Errorf("the summary does not say %q:\n%s", part, summary)
		}
	}
	if said := said.String(); strings.Contains(said, "compile") || strings.Contains(said, "no such mutant") {
		t.Errorf("stderr: %s", said)
	}
	if after := listing(t, "."); before != after {
		t.Errorf("the folder changed:\n%s\nwas:\n%s", after, before)
	}
}

// listing returns the names, sizes and times of all files in a folder.
func listing(t *testing.T, folder string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			b.WriteString(strings.Join([]string{path, info.Mode().String(), info.ModTime().String()}, " ") + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestMutantsOfForms(t *testing.T) {
	for _, c := range []struct {
		code string
		want []string
	}{
		{`var n = 3`, []string{"3 → 2"}},
		{`var n = 0`, []string{"0 → 1"}},
		{`var x = 0.5`, []string{"0.5 → 2*0.5"}},
		{`var b = true`, []string{"true → false"}},
		{`const n = 3`, nil},
		{`type t [3]int`, nil},
		{`var a = [...]string{3: "x"}`, nil},
		{`var a = make([]int, 4, 8)`, []string{"4 → 3"}},
		{`var a = make(map[int]bool, 8)`, nil},
		{`var e = fmt.Errorf("%d", 3)`, nil},
		{`type t int; func (t) String() string { return "a" + "b" }`, nil},
		{`func f(n int) { panic(n + 1) }`, nil},
		{`func f(a, b int) bool { return a < b }`, []string{"a < b → true", "a < b → false", "a < b → a <= b"}},
		{`func f(a *int) bool { return a == nil }`, []string{"a == nil → true", "a == nil → false"}},
		{`func f(a *int) *int { return a }`, nil},
		{`func f(a []int) []int { return a }`, []string{"a → nil"}},
		{`func f(a string) string { return a }`, []string{`a → ""`}},
		{`func f(g func() error) error { return g() }`, []string{"g() → runs, but gives nil"}},
		{`func f() error { return fmt.Errorf("no") }`, []string{`fmt.Errorf("no") → nil`}},
		{`func f(a []int) []int { return append(a, a...) }`, []string{"append(a, a...) → nil"}},
		{`func f(a int) float64 { return float64(a) }`, []string{"float64(a) → 0"}},
		{`func f(a, b string) (s string) { s = a + b; return }`, []string{"s = a + b → left out", "a + b → a"}},
		{`func f(err error) (int, error) { return 0, err }`, []string{"0 → 1", "err → nil"}},
		{`func f(a, b int) { a, _ = b, a; _ = b }`, []string{"a, _ = b, a → left out"}},
		{`func f(a, b bool) (c bool) { c = a && !b; return }`, []string{
			"c = a && !b → left out", "a && !b → true", "a && !b → false", "a && !b → a || !b", "a → true", "!b → true"}},
		{`func f(a, b bool) { for a || b { } }`, []string{"a || b → false", "a || b → a && b", "a → false", "b → false"}},
		{`func f(a bool) { if (a) { return } }`, []string{"a → true", "a → false", "return → left out"}},
		{`func f(a int) { for i := a; i > a; i-- { break } }`, []string{"i > a → false", "i > a → i >= a", "break → continue"}},
		{`func f(a []int) { for range a { switch { default: continue } } }`, []string{"for range a → loop left out", "continue → left out"}},
		{`func f(a []int) { for range a { switch { default: break } } }`, []string{"for range a → loop left out"}},
		{`func f() { for { continue } }`, []string{"continue → left out"}},
		{`func f(g func(), c chan int) { g(); go g(); c <- 1; defer g() }`, []string{"g() → left out", "1 → 0", "defer g() → left out"}},
		{`func f(n int) (a int) { a++; a += n << 1; return }`, []string{"a++ → left out", "a += n << 1 → left out", "n << 1 → n >> 1", "1 → 0"}},
		{`func f(n int) uint8 { return 1 << n }`, []string{"1 << n → 0", "1 << n → 1 >> n", "1 → 0"}},
	} {
		p := parsed(t, "package p; import \"fmt\"; var _ = fmt.Sprint; "+c.code)
		s, err := instrument(p)
		if err != nil {
			t.Errorf("%s: %v", c.code, err)
			continue
		}
		var got []string
		for _, m := range s.mutants {
			got = append(got, m.before+" → "+m.after)
		}
		if slices.Sort(got); s.unfit > 0 || !slices.Equal(got, sorted(c.want)) {
			t.Errorf("%s:\ngot  %q, and %d that do not compile\nwant %q", c.code, got, s.unfit, c.want)
		}
	}
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

// parsed returns a package of one file.
func parsed(t *testing.T, code string) *sourcePackage {
	t.Helper()
	p := &sourcePackage{path: "p", name: "p", dir: "/p", goVersion: "go1.26", fset: token.NewFileSet(), importer: importer.Default()}
	f := &sourceFile{path: "/p/p.go", text: []byte(code)}
	var err error
	if f.ast, err = parser.ParseFile(p.fset, f.path, f.text, parser.SkipObjectResolution); err != nil {
		t.Fatal(err)
	}
	p.files = []*sourceFile{f}
	info, faults := p.check(p.fset, []*ast.File{f.ast})
	if len(faults) > 0 {
		t.Fatalf("%s: %v", code, faults[0])
	}
	p.info = info
	return p
}

// What does not compile is left out, and nothing else: here, the result type is hidden by a parameter of the same name.
func TestUnfitMutantsAreLeftOut(t *testing.T) {
	s, err := instrument(parsed(t, "package p\nfunc f(string string) (int, error) {\n\treturn len(string), nil }\nfunc g(int string) (n int) {\n\tn = 3\n\treturn n }"))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range s.mutants {
		got = append(got, m.before+" → "+m.after)
	}
	if want := []string{"len(string) → 0"}; !slices.Equal(got[:1], want) || s.unfit != 3 || len(got) != 1 {
		t.Errorf("got %q, %d left out", got, s.unfit)
	}
}

// A sample with the same seed is the same, and code that comes or goes elsewhere changes little of it.
func TestSampleIsRepeatable(t *testing.T) {
	var mutants []mutant
	for i := range 1000 {
		mutants = append(mutants, mutant{file: "a.go", line: i, before: strings.Repeat("x", i/2)}) // two of each text
	}
	one := sample(mutants, 100, 1)
	if again := sample(mutants, 100, 1); !slices.Equal(one, again) || len(one) != 100 {
		t.Error("the same seed draws others")
	}
	if !slices.IsSortedFunc(one, func(a, b mutant) int { return a.line - b.line }) {
		t.Error("a sample is not in the order of the code")
	}
	if other := sample(mutants, 100, 2); slices.Equal(one, other) {
		t.Error("another seed draws the same")
	}
	kept := 0
	less := sample(mutants[20:], 100, 1)
	for _, m := range one {
		if slices.Contains(less, m) {
			kept++
		}
	}
	if kept < 90 {
		t.Errorf("20 mutants of 1000 went, and only %d of a sample of 100 stayed", kept)
	}
}

func TestReadEqual(t *testing.T) {
	for _, c := range []struct {
		text string
		keys []string // nil: an error
	}{
		{"# why\n\na.go:3:14 in f: x → y | x = 1\n\tthe same\n", []string{"a.go in f: x → y | x = 1"}},
		{"a.go: x → y | x\n  in two\n  lines\nb.go: x → y | x\n  one\n", []string{"a.go: x → y | x", "b.go: x → y | x"}},
		{"a.go: x → y | x\n", nil},
		{"  a reason\n", nil},
		{"a.go: x → y | x\n a\na.go:3:1: x → y | x\n b\n", nil},
	} {
		path := filepath.Join(t.TempDir(), "list.txt")
		if err := os.WriteFile(path, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		reasons, err := readEqual(path)
		var keys []string
		for key := range reasons {
			keys = append(keys, key)
		}
		if (err != nil) != (c.keys == nil) || err == nil && !slices.Equal(sorted(keys), c.keys) {
			t.Errorf("%q: got %q and %v, want %q", c.text, keys, err, c.keys)
		}
	}
	if reasons, err := readEqual(filepath.Join(t.TempDir(), "none")); len(reasons) > 0 || err != nil {
		t.Errorf("no list: got %v and %v", reasons, err)
	}
}

// A mutant may write, cut and remove files of the copy: the next one gets it whole.
func TestTreeIsRestored(t *testing.T) {
	from := t.TempDir()
	for name, text := range map[string]string{"a/one": "1", "a/two": "2", "three": "3", ".gitignore": "ignored\n", "ignored": "x"} {
		path := filepath.Join(from, name)
		os.MkdirAll(filepath.Dir(path), 0o755)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("git", "init", "-q", from).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	root := t.TempDir()
	tree, err := copyTree(from, root)
	if err != nil {
		t.Fatal(err)
	}
	if exists(filepath.Join(root, "ignored")) {
		t.Error("an ignored file was copied")
	}
	os.WriteFile(filepath.Join(root, "a", "one"), []byte("other"), 0o644)
	os.RemoveAll(filepath.Join(root, "a", "two"))
	os.WriteFile(filepath.Join(root, "a", "new"), nil, 0o644)
	os.Chmod(filepath.Join(root, "three"), 0o600)
	if err := tree.restore(); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a/one": "1", "a/two": "2", "three": "3"} {
		got, err := os.ReadFile(filepath.Join(root, name))
		info, _ := os.Stat(filepath.Join(root, name))
		if err != nil || string(got) != want || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
	if exists(filepath.Join(root, "a", "new")) {
		t.Error("a new file stayed")
	}
	if got, err := os.ReadFile(filepath.Join(from, "a", "one")); err != nil || string(got) != "1" {
		t.Errorf("the original has %q, %v", got, err)
	}
}

func TestInterruptEndsCleanly(t *testing.T) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, cancel := context.WithCancel(context.Background())
	var said bytes.Buffer
	err := run(ctx, []string{"-n", "0", "./testdata/sample"}, &said, writerFunc(func(text []byte) (int, error) {
		cancel() // where it says that the tests have run with no mutant on
		return said.Write(text)
	}))
	if !errors.Is(err, context.Canceled) || !strings.Contains(said.String(), "stopped after") {
		t.Errorf("got %v, and:\n%s", err, said.String())
	}
	if left, err := os.ReadDir(temporary); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
