//go:build unix

package main

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/secondopiniontest"
)

const source = "../.." // the root of the source, from here

// added are flags that the test gives to commands of the documents, the first whose pattern fits, so that they take seconds.
var added = []struct {
	command *regexp.Regexp
	flags   string
}{
	{regexp.MustCompile(`^rcfreeze new cifar-resnet .*resnet20.onnx`), "--width 2"},
	{regexp.MustCompile(`^rcfreeze train .*cifar-10-batches-bin`), "--epochs 1 --batch-size 16"},
}

// measured are the columns of tables, and the facts, whose numbers depend on the data, which is another one here, or on the time.
var measured = regexp.MustCompile(`^(images|loss|top-\d|median ms|min ms|images per second|seconds per run|output .*)$`)

// TestDocuments runs all commands of rcfreeze that the documents show in blocks, one after the other in a folder for each document,
// on small data. What they print is what the document shows, but for the numbers that are measured. Of make and go, it checks that
// what the commands name is there.
func TestDocuments(t *testing.T) {
	secondopiniontest.Use(t)
	root, err := filepath.Abs(source)
	if err != nil {
		t.Fatal(err)
	}
	documents, err := filepath.Glob(filepath.Join(root, "docs", "*.md"))
	if err != nil {
		t.Fatal(err)
	}
	ran := 0
	for _, path := range append(documents, filepath.Join(root, "README.md"), filepath.Join(root, "CONTRIBUTING.md")) {
		d := document{root: root, text: string(read(t, path))}
		faults := d.check(t)
		for _, fault := range faults {
			t.Errorf("%s:%s", filepath.Base(path), fault)
		}
		ran += d.ran
	}
	if ran < 10 {
		t.Errorf("ran %d commands of rcfreeze: the test overlooks blocks", ran)
	}
}

// TestWrongDocuments checks documents that are wrong in one place each.
func TestWrongDocuments(t *testing.T) {
	root, err := filepath.Abs(source)
	if err != nil {
		t.Fatal(err)
	}
	inspect := "```console\n$ rcfreeze inspect mnist-cnn.onnx \\\n  --json=false\n" + succeed(t, "inspect", filepath.Join(root, "testdata/demo/mnist-cnn.onnx")) + "```\n"
	inspect = strings.ReplaceAll(inspect, root+"/testdata/demo/", "")
	const eval = "```\n$ rcfreeze eval mnist-cnn.onnx --data $data\nimages   10,000, test split\nclasses  10\nloss     2.2926\ntop-1    1.0 %\ntop-5    59.53 %\n```\n"
	for _, c := range []struct {
		name, text string
		fault      string // "" if it is right
	}{
		{"right", inspect, ""},
		{"measured", eval, ""},
		{"measured by another name", strings.Replace(eval, "top-1", "top 1", 1), `shows "top 1  1.0 %"`},
		{"a fact that is not measured", strings.Replace(eval, "classes  10", "classes  11", 1), `2: rcfreeze eval mnist-cnn.onnx --data $data: shows "classes  11"`},
		{"a line too much", strings.Replace(eval, "%\n```", "%\nmore\n```", 1), `shows "more", prints ""`},
		{"a line too little", strings.Replace(eval, "top-5    59.53 %\n", "", 1), `shows "", prints "top-5  # %"`},
		{"a flag misspelled", "```sh\n# as here\nrcfreeze inspect mnist-cnn.onnx --jsn\n```\n", "3: rcfreeze inspect mnist-cnn.onnx --jsn: exit status 2"},
		{"a file that is not there", "```sh\nrcfreeze inspect nothing.onnx | cat\nrcfreeze inspect nothing.onnx\n```\n", "3: rcfreeze inspect nothing.onnx: exit status 1"},
		{"a column", strings.Replace(inspect, "outcome\n", "outcomes\n", 1), `shows "convolution  kernel`},
		{"a number in a table", strings.Replace(inspect, "117,600", "117,601", 1), "117,601"},
		{"a number of a fact", strings.Replace(inspect, "61,706", "61,707", 1), "61,707"},
		{"a row", strings.Replace(inspect, "\nconv2", "\nconv3", 1), "conv3"},
		{"make", "    make test  # all\n    make tests\n", "2: make tests: the Makefile has no target tests"},
		{"a variable of make", "    make mutate PKG=./nothing SED=2\n", "1: make mutate PKG=./nothing SED=2: there is no ./nothing; the Makefile has no variable SED"},
		{"quotes", "    make crash ONLY='train/replace kill-after rename#7' # one\n", ""},
		{"a setting before", "    LEVEL=1 make tests\n", "1: make tests: the Makefile has no target tests"},
		{"make in prose", "Give `make tsts` a try, or\n`make test`.", "1: make tsts: the Makefile has no target tsts"},
		{"a package", "```sh\ngo test ./onnxgraph/... ./onnx\n```\n", "2: go test ./onnxgraph/... ./onnx: there is no ./onnx"},
		{"an unknown command", "```sh\nls\n```\n", "2: ls: the test does not know how to check it"},
		{"an unknown language", "```bash\nls\n```\n", "1: a block of bash: call it sh, or console if it shows what is printed"},
		{"a block without an end", "\n```sh\nmake test\n", "2: a block without an end"},
		{"another language", "```go\nx := 1\n```\n", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := document{root: root, text: c.text}
			faults := strings.Join(d.check(t), "\n")
			if (faults == "") != (c.fault == "") || !strings.Contains(faults, c.fault) {
				t.Errorf("found %q, want %q", faults, c.fault)
			}
		})
	}
}

// document is a file in Markdown.
type document struct {
	root   string // of the source
	text   string
	folder string // where its commands run, made when there is one
	ran    int    // how many commands of rcfreeze
}

// check returns what is wrong with a document, each with the number of its line.
func (d *document) check(t *testing.T) (faults []string) {
	t.Helper()
	commands, faults := shellCommands(d.text)
	for _, c := range commands {
		if fault := d.try(t, c); fault != "" {
			faults = append(faults, fmt.Sprintf("%d: %s", c.line, fault))
		}
	}
	return faults
}

// try returns what is wrong with a command, "" if nothing.
func (d *document) try(t *testing.T, c shellCommand) string {
	t.Helper()
	words := arguments(assignments.ReplaceAllString(c.text, ""))
	var faults []string
	switch words[0] {
	case "rcfreeze":
		return d.run(t, c)
	case "make":
		faults = d.makeFaults(t, words[1:])
	case "go":
		faults = d.missing(words[1:])
	default:
		faults = []string{"the test does not know how to check it"}
	}
	if faults == nil {
		return ""
	}
	return strings.Join(words, " ") + ": " + strings.Join(faults, "; ")
}

// makeFaults returns what the Makefile lacks of what make is given, and the paths that are not there.
func (d *document) makeFaults(t *testing.T, words []string) (faults []string) {
	t.Helper()
	makefile := string(read(t, filepath.Join(d.root, "Makefile")))
	for _, word := range words {
		name, value, isVariable := strings.Cut(word, "=")
		switch {
		case !isVariable && !strings.Contains(makefile, "\n"+word+":"):
			faults = append(faults, "the Makefile has no target "+word)
		case isVariable && !regexp.MustCompile(`\$[({]+`+regexp.QuoteMeta(name)+`\b`).MatchString(makefile):
			faults = append(faults, "the Makefile has no variable "+name)
		}
		faults = append(faults, d.missing([]string{value})...)
	}
	return faults
}

// missing returns the words that are paths in the source, beginning with ./, of packages or files that do not exist.
func (d *document) missing(words []string) (faults []string) {
	for _, word := range words {
		if path, ok := strings.CutPrefix(word, "./"); ok {
			if _, err := os.Stat(filepath.Join(d.root, strings.TrimSuffix(path, "..."))); err != nil {
				faults = append(faults, "there is no "+word)
			}
		}
	}
	return faults
}

// run runs a command of rcfreeze by the shell.
func (d *document) run(t *testing.T, c shellCommand) string {
	t.Helper()
	if d.folder == "" {
		d.folder = t.TempDir()
		stage(t, d.root, d.folder)
	}
	d.ran++
	line := c.text
	for _, a := range added {
		if a.command.MatchString(line) {
			line += " " + a.flags
			break
		}
	}
	cmd := exec.Command("sh", "-c", line)
	cmd.Dir = d.folder
	cmd.Env = append(os.Environ(), asProgram+"=1", "data=mnist", "PATH="+filepath.Join(d.folder, "bin")+string(os.PathListSeparator)+os.Getenv("PATH"))
	var out, talk bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &talk
	if err := cmd.Run(); err != nil {
		return fmt.Sprintf("%s: %v: %s (if the command is right, stage makes what it needs, and `added` makes it fast)", line, err, talk.String())
	}
	if c.output == "" {
		return ""
	}
	if shown, prints, differ := firstDifference(c.output, out.String()); differ {
		return fmt.Sprintf("%s: shows %q, prints %q:\n%s", line, shown, prints, out.String())
	}
	return ""
}

// stage makes what the commands of the documents read: the program, the model of the demo, data in the form of MNIST's and CIFAR's,
// photos, and models that earlier commands would make.
func stage(t *testing.T, root, folder string) {
	t.Helper()
	back, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	defer t.Chdir(back)
	for _, name := range []string{"bin", "mnist", "cifar-10-batches-bin", "holidays"} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(self, filepath.Join("bin", "rcfreeze")); err != nil {
		t.Fatal(err)
	}
	demo := read(t, filepath.Join(root, "testdata", "demo", "mnist-cnn.onnx"))
	write(t, "mnist-cnn.onnx", demo)
	write(t, "merged.onnx", demo)
	succeed(t, "convert", "mnist-cnn.onnx", "-o", "half.onnx", "--precision", "fp16")
	succeed(t, "new", "cifar-resnet", "--depth", "20", "--classes", "10", "--input", "3x32x32", "-o", "resnet20.onnx")
	for prefix, n := range map[string]int{"train": 128, "t10k": 20} {
		labels := make([]byte, n)
		for i := range labels {
			labels[i] = byte(i % 10)
		}
		datasettest.WriteIDX(t, "mnist", prefix, 28, labels, pixel)
	}
	var records []byte
	for i := range 4 {
		records = append(records, byte(i%10))
		for p := range 3 * 32 * 32 {
			records = append(records, pixel(i, p%32, p/32%32))
		}
	}
	for _, name := range []string{"data_batch_1", "data_batch_2", "data_batch_3", "data_batch_4", "data_batch_5", "test_batch"} {
		write(t, filepath.Join("cifar-10-batches-bin", name+".bin"), records)
	}
	write(t, filepath.Join("cifar-10-batches-bin", "batches.meta.txt"), []byte(strings.Join(strings.Split("0123456789", ""), "\n")+"\n"))
	var photo bytes.Buffer
	if err := jpeg.Encode(&photo, image.NewGray(image.Rect(0, 0, 28, 28)), nil); err != nil {
		t.Fatal(err)
	}
	write(t, "photo.jpg", photo.Bytes())
	write(t, filepath.Join("holidays", "beach.jpg"), photo.Bytes())
}
