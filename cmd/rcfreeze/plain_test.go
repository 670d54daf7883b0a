package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rcfreeze/rcfreeze/internal/secondopiniontest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

const (
	// forged is what a line begins with that a name has made.
	forged = "FORGED"
	// dirtyFile is a name that a terminal would obey, and that file systems take.
	dirtyFile = "d\x1b[31m\r\b\x7f\n" + forged + " \u202e\u200b\u2028\u009b\ufeff\t漢ü"
	// dirty is one that only models take.
	dirty = dirtyFile + "\xff\x00"
)

// checkPlain fails if a text has what a terminal does not just show, or a line that a name has made.
func checkPlain(t *testing.T, what, text string) {
	t.Helper()
	if !utf8.ValidString(text) {
		t.Errorf("%s is not valid UTF-8: %q", what, text)
	}
	for _, r := range text {
		if r != '\n' && !strconv.IsGraphic(r) {
			t.Errorf("%s has %q: %q", what, r, text)
			return
		}
	}
	if strings.HasPrefix(text, forged) || strings.Contains(text, "\n"+forged) {
		t.Errorf("%s has a line that a name has made: %q", what, text)
	}
}

func TestPlain(t *testing.T) {
	for text, want := range map[string]string{
		"":                       "",
		"conv1/weight 漢 ü é × 😀": "conv1/weight 漢 ü é × 😀",
		"\x1b[31mred\x1b[0m":     `\x1b[31mred\x1b[0m`,
		"a\r\n\t\b\a\x00\x7f":    `a\r\n\t\b\a\x00\x7f`,
		"\u202eabc\u2066\u200f":  `\u202eabc\u2066\u200f`,
		"\u200b\ufeff\u2028":     `\u200b\ufeff\u2028`,
		"\u009b31m":              `\u009b31m`,
		"\xff\xc3(":              `\xff\xc3(`,
		"\U000e0041":             `\U000e0041`,
		"a\u00a0b\u3000c":        "a\u00a0b\u3000c",
		`C:\new "x"`:             `C:\new "x"`,
	} {
		if got := plain(text); got != want {
			t.Errorf("%q: got %s, want %s", text, got, want)
		}
	}
}

// TestPlainError checks that lines are those of joined errors, and never of a name.
func TestPlainError(t *testing.T) {
	a, b := errors.New("a\nb"), errors.New("c\x1b")
	for _, c := range []struct {
		err  error
		want string
	}{
		{a, `a\nb`},
		{errors.Join(a, b), "a\\nb\nc\\x1b"},
		{fmt.Errorf("x\n: %w", errors.Join(a, b)), "x\\n: a\\nb\nc\\x1b"},
		{fmt.Errorf("x: %w; y\n%w", a, b), `x: a\nb; y\nc\x1b`},
		{usageError{errors.Join(a, workError{fmt.Errorf("z: %w", errors.Join(b, b))})}, "a\\nb\nz: c\\x1b\nc\\x1b"},
		{&os.PathError{Op: "open", Path: "p\n", Err: os.ErrNotExist}, `open p\n: file does not exist`},
		{fmt.Errorf("hidden: %w", silent{a}), "hidden: other\\n"},
	} {
		if got := plainError(c.err); got != c.want {
			t.Errorf("%q: got %q, want %q", c.err, got, c.want)
		}
	}
}

// silent is an error that does not say what is in it.
type silent struct{ error }

func (silent) Error() string   { return "other\n" }
func (s silent) Unwrap() error { return s.error }

func TestPlainJSON(t *testing.T) {
	var p printer
	var b strings.Builder
	p.stdout, p.json = &b, true
	want := map[string]string{strings.ToValidUTF8(dirty, "?"): "\U000e0041\u009b\u202e"}
	if err := p.result(want, nil); err != nil {
		t.Fatal(err)
	}
	checkPlain(t, "the document", b.String())
	var got map[string]string
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil || fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// soil puts a dirty name before every name in a model.
func soil(t *testing.T, path, output, dirty string, more func(*onnxgraph.Model)) {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	rename := func(ok bool) {
		if !ok {
			t.Fatal("a name is taken")
		}
	}
	for i, n := range m.Graph.Nodes() {
		rename(n.Rename(fmt.Sprint(dirty, "node", i)))
		for j, v := range n.Outputs() {
			if !v.IsOutput() {
				rename(m.Graph.Rename(v, fmt.Sprint(dirty, "value", i, ".", j)))
			}
		}
	}
	for i, v := range m.Graph.Initializers() {
		rename(m.Graph.Rename(v, fmt.Sprint(dirty, "weight", i)))
	}
	x := m.Graph.Inputs()[0]
	shape, _ := x.Shape()
	shape[0] = onnxgraph.Dim{Size: -1, Param: dirty}
	x.SetType(x.DType(), shape)
	rename(m.Graph.Rename(x, dirty+"input"))
	rename(m.Graph.Rename(m.Graph.Outputs()[0], dirty+"output"))
	m.SetMetadata(dirty, dirty)
	m.SetMetadata("rcfreeze.classes", `["\u001b[31m\n`+forged+`", "\u202e\u009b", "x\r"]`)
	if more != nil {
		more(m)
	}
	writeModel(t, output, m)
}

// TestDirtyNames runs every command on a model and on data in which every name has codes that a terminal obeys.
func TestDirtyNames(t *testing.T) {
	secondopiniontest.Use(t) // before the test leaves the source
	workshop(t)
	classes := []string{"a" + dirtyFile, "b" + dirtyFile, "c" + dirtyFile}
	writeFolders(t, "folders", classes...)
	write(t, "classes.json", []byte(`["a\u001b[31m","b\r\n`+forged+`","c\u202e"]`))
	write(t, dirtyFile+".onnx", []byte("no model"))
	image := filepath.Join("folders", "val", classes[0], dirtyFile+".png")
	write(t, image, read(t, filepath.Join("folders", "val", classes[0], "a.png")))
	if err := os.Mkdir("damaged", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join("damaged", dirtyFile+".png"), []byte("no image"))
	soil(t, "model.onnx", "dirty.onnx", dirtyFile, nil)
	soil(t, "model.onnx", "bytes.onnx", dirty, nil)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	soil(t, "net.onnx", "resnet.onnx", dirtyFile, nil)
	soil(t, "model.onnx", "odd.onnx", dirtyFile, func(m *onnxgraph.Model) {
		n := m.Graph.AddNodeOf(dirty, dirty, m.Graph.Inputs()[:1], 1)
		m.SetOpset(dirty, 1)
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, []onnxgraph.Dim{{Size: -1, Param: dirty}})
		for _, n := range m.Graph.Nodes() {
			if n.Is("Relu") {
				n.SetOpType("Relu" + dirty)
			}
		}
	})
	soil(t, "model.onnx", "faulty.onnx", dirtyFile, func(m *onnxgraph.Model) {
		for _, n := range m.Graph.Nodes() {
			if n.Is("Conv") {
				n.SetAttr(onnxgraph.Ints("strides", 0, 0))
			}
		}
	})
	soil(t, "model.onnx", "records.onnx", dirtyFile, func(m *onnxgraph.Model) {
		m.SetMetadata("rcfreeze.classes", dirty)
		m.SetMetadata("rcfreeze.logits", dirty)
		m.SetMetadata("rcfreeze.block."+dirty, dirty)
	})
	const data = " --data bands --normalize none"
	short := data + " --epochs 1 -b 8"
	for i, c := range []struct {
		args  string // {dirty} stands for a name
		fails bool
	}{
		{"inspect dirty.onnx --plan", false},
		{"inspect bytes.onnx", false},
		{"convert bytes.onnx -o none.onnx", true}, // records cannot hold such names
		{"eval bytes.onnx" + data, true},          // nor does ONNX Runtime take them
		{"inspect odd.onnx", false},
		{"inspect faulty.onnx", true},
		{"inspect records.onnx", true},
		{"inspect {dirty}.onnx", true},
		{"inspect {dirty}", true},
		{"inspect dirty.onnx --include {dirty}", true},
		{"inspect dirty.onnx --skip {dirty}node0 --{dirty}", true},
		{"{dirty}", true},
		{"convert dirty.onnx -o {dirty}blocks.onnx -E 1", false},
		{"convert dirty.onnx -o blocks.onnx --min-kernel 9", true},
		{"convert resnet.onnx -o resblocks.onnx -E 1", false},
		{"inspect {dirty}blocks.onnx", false},
		{"calibrate resnet.onnx -o {dirty}c.onnx --data bands -b 8", false},
		{"calibrate dirty.onnx -o c.onnx --data bands -b 8", true},
		{"train {dirty}blocks.onnx -o {dirty}t.onnx -v" + short, false},
		{"train dirty.onnx -o u.onnx --num-classes 3 -v" + short, false},
		{"train dirty.onnx -o v.onnx --freeze {dirty}" + short, true},
		{"train dirty.onnx -o v.onnx --train-from {dirty}" + short, true},
		{"train odd.onnx -o v.onnx" + short, true},
		{"train odd.onnx -o v.onnx --logits {dirty}output" + short, true},
		{"train dirty.onnx -o v.onnx --augment {dirty}" + short, true},
		{"compare dirty.onnx -o {dirty}compare --variants baseline,frozen -E 1" + short, false},
		{"compare dirty.onnx -o {dirty}compare --variants baseline,frozen -E 1 --lr 9" + short, true},
		{"eval dirty.onnx --per-class --classes classes.json" + data, false},
		{"eval dirty.onnx --data folders", true},
		{"eval dirty.onnx --data {dirty}", true},
		{"eval model.onnx --data folders --per-class --normalize none", false},
		{"eval odd.onnx --logits {dirty}" + data, true},
		{"eval odd.onnx" + data, true},
		{"predict dirty.onnx folders --normalize none", false},
		{"predict dirty.onnx damaged --normalize none", true},
		{"predict dirty.onnx {dirty}.png --normalize none", true},
		{"predict dirty.onnx folders --normalize none --classes {dirty}", true},
		{"export {dirty}blocks.onnx -o {dirty}e.onnx --source dirty.onnx --time --time-runs 1", false},
		{"export resblocks.onnx -o e.onnx", false},
		{"export dirty.onnx -o e.onnx --second-opinion", false},
		{"export odd.onnx -o e.onnx", true},
		{"new {dirty} -o n.onnx", true},
		{"new lenet -o {dirty}n.onnx --input 1x12x12", false},
		{"doctor --ort-lib {dirty}", true},
	} {
		for _, format := range []string{"", " --json"} {
			args := strings.Fields(c.args + format)
			for i := range args {
				args[i] = strings.ReplaceAll(args[i], "{dirty}", dirtyFile)
			}
			if format != "" && args[0] == "compare" {
				args = append(args, "--resume")
			}
			if format != "" && args[0] == "train" {
				args = append(args, "--run-dir", fmt.Sprint(dirtyFile, i))
			}
			stdout, stderr, code := call(args...)
			what := "rcfreeze " + c.args + format
			if (code != exitDone) != c.fails {
				t.Errorf("%s: exit code %d:\n%s", what, code, stderr)
			}
			checkPlain(t, what+": stdout", stdout)
			checkPlain(t, what+": stderr", stderr)
			if format != "" && !c.fails && !json.Valid([]byte(stdout)) {
				t.Errorf("%s printed no JSON: %s", what, stdout)
			}
		}
	}
}
