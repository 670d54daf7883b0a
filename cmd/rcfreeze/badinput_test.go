package main

import (
	"bytes"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/secondopiniontest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// TestBadInput checks that every mistake gives one clear error and leaves every file as it was.
func TestBadInput(t *testing.T) {
	secondopiniontest.Use(t) // before the test leaves the source
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	write(t, "text.onnx", []byte("this is no model\n"))
	write(t, "cut.onnx", read(t, "blocks.onnx")[:2000])
	succeed(t, "convert", "model.onnx", "-o", "big.onnx", "--external-data", "all")
	data, err := filepath.Glob("big.onnx.*.data")
	if err != nil || len(data) != 1 {
		t.Fatalf("data files: %v, %v", data, err)
	}
	elsewhere := func(name string) []byte { return bytes.ReplaceAll(read(t, "big.onnx"), []byte(data[0]), []byte(name)) }
	write(t, "missing.onnx", elsewhere("bad"+data[0][3:]))
	write(t, "leaving.onnx", elsewhere("../../"+data[0][6:]))
	writeFolders(t, "folders", "cat", "dog")
	if err := (convcases.Case{Input: []int64{1, 1, 5, 5}, Filters: 1, Kernel: []int64{3, 3}, DType: onnxgraph.Float64}).Model().Save("double.onnx", onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	changeOperator(t, "model.onnx", "Relu", "Atan", "atan.onnx")
	changeBank(t, "blocks.onnx", "changed.onnx")
	writeBands(t, "labels", 7)
	succeed(t, "new", "lenet", "-o", "larger.onnx", "--classes", "3", "--input", "1x16x16")
	succeed(t, "new", "lenet", "-o", "colored.onnx", "--classes", "3", "--input", "3x12x12")
	if err := os.Mkdir("folder.onnx", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "library.so", []byte("no library"))

	const train = " --data bands --epochs 1 -b 8"
	for _, c := range []struct {
		name, args string
		want       []string
	}{
		{"no file", "inspect none.onnx", []string{"none.onnx", "no such file"}},
		{"no ONNX", "inspect text.onnx", []string{"text.onnx", "not an ONNX file"}},
		{"cut short", "convert cut.onnx -o out.onnx", []string{"cut.onnx", "cut short"}},
		{"missing weight file", "convert missing.onnx -o out.onnx", []string{"missing.onnx", "bad.onnx."}},
		{"path leaving the folder", "train leaving.onnx -o out.onnx" + train, []string{"leaving.onnx", "../../nx.", "folder"}},
		{"changed by another tool", "train changed.onnx -o out.onnx" + train, []string{"changed.onnx", `"conv1"`, "SHA-256", "convert the source model again"}},
		{"unsupported operator", "train atan.onnx -o out.onnx" + train, []string{"atan.onnx", "Atan", `--train-from "relu4"`}},
		{"comparing with an unsupported operator", "compare atan.onnx -o out --variants frozen" + train, []string{"atan.onnx", "Atan", `--train-from "relu4"`}},
		{"training from no node", "train model.onnx -o out.onnx --train-from conv" + train, []string{"model.onnx", `"conv"`, `"conv1"`, `"conv2"`}},
		{"training from the end", "train model.onnx -o out.onnx --train-from fc3" + train, []string{`"fc3"`, "no parameter"}},
		{"labels outside the classes", "train model.onnx -o out.onnx --data labels", []string{"labels", "outside the 3 classes", "--num-classes 7"}},
		{"folders of other classes", "train model.onnx -o out.onnx --data folders", []string{"folders", "2 classes", "--num-classes 2"}},
		{"number of classes", "train model.onnx -o out.onnx --num-classes 1" + train, []string{"--num-classes 1"}},
		{"images of another size", "eval larger.onnx --data bands", []string{"bands", "16×16", "12×12", "--resize"}},
		{"images of other channels", "eval colored.onnx --data bands", []string{"bands", "3-channel", "1-channel"}},
		{"no data", "eval model.onnx --data nowhere", []string{"nowhere", "no such file"}},
		{"a flag of other commands", "eval model.onnx --data bands --num-classes 3", []string{"unknown flag: --num-classes: the commands with this flag are convert, train, compare; rcfreeze eval --help lists"}},
		{"a flag of no command", "eval model.onnx --data bands --nonsense", []string{"unknown flag: --nonsense: rcfreeze eval --help lists"}},
		{"a letter of no flag", "eval model.onnx --data bands -E 1", []string{"unknown shorthand flag: 'E' in -E: rcfreeze eval --help lists"}},
		{"unknown format", "eval model.onnx --data .", []string{"no known format was recognized", "idx", "cifar10"}},
		{"output in no folder", "train model.onnx -o none/out.onnx" + train, []string{"none/out.onnx", "must exist"}},
		{"output is a folder", "train model.onnx -o folder.onnx" + train, []string{"folder.onnx", "folder.onnx is a folder"}},
		{"output missing", "convert model.onnx", []string{"output"}},
		{"limits", "eval model.onnx --data bands --max-image-pixels -1", []string{"--max-image-pixels -1"}},
		{"a limit without a number", "eval model.onnx --data bands --max-array-size many", []string{`"many"`, "16GB"}},
		{"a limit below 0", "eval model.onnx --data bands --max-array-size=-5", []string{`"-5"`}},
		{"a limit beyond all numbers", "eval model.onnx --data bands --max-array-size 99999999TB", []string{`"99999999TB"`}},
		{"arrays above the limit", "eval model.onnx --data bands --max-array-size 5kB", []string{"bands/train-images-idx3-ubyte", "limit of 5000", "--max-array-size"}},
		{"images above the limit", "predict model.onnx folders --max-image-pixels 100 --normalize none", []string{"folders/train/cat/a.png", "12×12", "limit of 100 pixels", "--max-image-pixels"}},
		{"numbers out of range", "train model.onnx -o out.onnx --data bands --epochs 0 --lr -1 -j -1", []string{"--epochs 0", "--lr -1", "--workers -1"}},
		{"unknown settings", "train model.onnx -o out.onnx --data bands --opt lion --batchnorm no --augment blur=1 --keep all --mean 1",
			[]string{"--optimizer lion", "adamw, sgd", "--batchnorm no", "train, eval or recalibrate", "blur", "--keep", "--std"}},
		{"a batch larger than the data", "train model.onnx -o out.onnx --data bands -b 49", []string{"bands", "48 samples", "smaller batch size"}},
		{"variant without blocks", "train model.onnx -o out.onnx --variant learned" + train, []string{"model.onnx", "rcfreeze convert"}},
		{"variant with blocks", "train blocks.onnx -o out.onnx --variant baseline" + train, []string{"blocks.onnx", "frozen blocks"}},
		{"unknown variant", "train model.onnx -o out.onnx --variant x" + train, []string{`"x"`, "frozen-baseline"}},
		{"comparing blocks", "compare blocks.onnx -o out" + train, []string{"blocks.onnx", "source model"}},
		{"comparing unknown variants", "compare model.onnx -o out --variants frozen,odd" + train, []string{`"odd"`}},
		{"expansions", "compare model.onnx -o out --expansions 1,0" + train, []string{"--expansions 0"}},
		{"expansion", "convert model.onnx -o out.onnx -E 0", []string{"--expansion 0", "or auto"}},
		{"expansion of no number", "convert model.onnx -o out.onnx -E many", []string{`"many"`, "auto"}},
		{"no error to choose by", "convert model.onnx -o out.onnx -E auto", []string{"--max-error"}},
		{"an error that chooses nothing", "convert model.onnx -o out.onnx -E 2 --max-error 0.1", []string{"--expansion auto"}},
		{"an error of what is drawn", "convert model.onnx -o out.onnx -E auto --max-error 0.1 --pointwise random", []string{"project"}},
		{"calibrating on nothing", "convert model.onnx -o out.onnx --pointwise calibrate", []string{"--data"}},
		{"calibrating on too much", "convert model.onnx -o out.onnx --pointwise calibrate --data bands --calibration-images 5000", []string{"--calibration-images 5000", "1000"}},
		{"calibrating on other images", "convert larger.onnx -o out.onnx --pointwise calibrate --data bands", []string{"16×16", "12×12"}},
		{"BatchNorm on other images", "convert larger.onnx -o out.onnx --add-batchnorm --data bands", []string{"16×16", "12×12"}},
		{"BatchNorm on no images", "convert model.onnx -o out.onnx --add-batchnorm --data bands --calibration-images 0", []string{"--calibration-images 0"}},
		{"a variance that is not known", "convert model.onnx -o out.onnx --keep-variance", []string{"calibrate"}},
		{"flags on data without data", "convert model.onnx -o out.onnx --limit 9 --image-size 12 --resize --format idx --short-side 14 -j 2 --max-image-pixels 9 --max-array-size 1GB --calibration-images 5 --mean 0.5 --std 0.2",
			[]string{"--calibration-images, --format, --image-size, --limit, --max-array-size, --max-image-pixels, --resize, --short-side, --workers: no images", "--data"}},
		{"data for nothing", "convert model.onnx -o out.onnx --data bands", []string{"calibrate"}},
		{"unknown bank", "inspect model.onnx --bank x", []string{`"x"`, "kaiming-uniform"}},
		{"nothing to convert", "convert model.onnx -o out.onnx --min-kernel 9", []string{"model.onnx", `Conv "conv1" and 1 more`, "kernel is smaller than 9"}},
		{"nothing to calibrate", "recalibrate model.onnx -o out.onnx --data bands", []string{"model.onnx", "no BatchNormalization"}},
		{"calibration settings", "recalibrate model.onnx -o out.onnx --data bands --images -1 -b 1", []string{"--images -1", "--batch-size 1"}},
		{"pattern of no name", "convert model.onnx -o out.onnx --skip x*", []string{`"x*"`, "conv1"}},
		{"unknown architecture", "new x -o out.onnx", []string{`"x"`, "cifar-resnet"}},
		{"input without channels", "new lenet -o out.onnx --input 12x12", []string{`"12x12"`, "3x32x32"}},
		{"epsilon", "eval model.onnx --data bands --epsilon 8", []string{"--epsilon", "1/255"}},
		{"export too far apart", "export blocks.onnx -o out.onnx --tolerance 0", []string{"blocks.onnx", "logits", "--tolerance"}},
		{"no second opinion", "export atan.onnx -o out.onnx --second-opinion", []string{"atan.onnx", "Atan", "second engine"}},
		{"export of what cannot be run", "export double.onnx -o out.onnx", []string{"double.onnx", "--no-verify", "Conv"}},
		{"export settings", "export blocks.onnx -o out.onnx --verify-batch -1 --tolerance -1", []string{"--verify-batch -1", "--tolerance -1"}},
		{"no batch size", "export blocks.onnx -o out.onnx --batch 0", []string{"--batch 0", "or dynamic"}},
		{"external mode", "convert model.onnx -o out.onnx --external-data some", []string{`"some"`, "auto, all or none"}},
		{"library hidden", "eval model.onnx --data bands --ort-lib hidden.so", []string{"hidden.so", ort.LibraryVariable}},
		{"library damaged", "export blocks.onnx -o out.onnx --ort-lib library.so", []string{"library.so", ort.LibraryVariable, "--no-verify"}},
		{"unknown provider", "eval model.onnx --data bands --provider tpu", []string{`"tpu"`, "cuda"}},
		{"unknown split", "eval model.onnx --data bands --split all", []string{`--split "all"`, "test, val or train"}},
		{"threads", "eval model.onnx --data bands --threads -1", []string{"--threads -1"}},
	} {
		t.Run(c.name, func(t *testing.T) { fails(t, c.args, c.want...) })
	}
}

// fails runs the command, which must fail with an error that has all of want, and change no file.
func fails(t *testing.T, args string, want ...string) {
	t.Helper()
	before := files(t)
	stdout, stderr, code := call(strings.Fields(args)...)
	_, message, found := strings.Cut("\n"+stderr, "\nrcfreeze: ")
	if code != exitFailed && code != exitUsage || stdout != "" || !found {
		t.Errorf("exit code %d, printed %q and said %q", code, stdout, stderr)
	}
	for _, text := range want {
		if !strings.Contains(message, text) {
			t.Errorf("the error does not name %q:\n%s", text, message)
		}
	}
	if strings.Contains(stderr, "epoch 1/") {
		t.Errorf("it trained first:\n%s", stderr)
	}
	after := files(t)
	for path, data := range after {
		if old, ok := before[path]; !ok || old != data {
			t.Errorf("%s was written", path)
		}
		delete(before, path)
	}
	for path := range before {
		t.Errorf("%s was removed", path)
	}
}

// files returns the contents of all files below the current folder.
func files(t *testing.T) map[string]string {
	t.Helper()
	contents := map[string]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			contents[path] = string(read(t, path))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return contents
}

func TestCUDAThatIsNotThere(t *testing.T) {
	workshop(t)
	for _, p := range ort.Diagnose("").Providers {
		if p.Provider == ort.CUDA && p.Usable {
			t.Skip("this machine has CUDA")
		}
	}
	fails(t, "train model.onnx -o out.onnx --data bands --epochs 1 -b 8 --provider cuda", "provider cuda", "GPU")
	_, stderr, code := call("eval", "model.onnx", "--data", "bands", "--provider", "auto")
	if code != exitDone || !strings.Contains(stderr, "provider cpu") {
		t.Errorf("auto: exit code %d, said %s", code, stderr)
	}
}

func TestLibraryTooOld(t *testing.T) {
	workshop(t)
	compiler, err := exec.LookPath("cc")
	if err != nil {
		t.Skip("needs a C compiler to make a library")
	}
	write(t, "old.c", []byte(`#include <stddef.h>
static const char *version(void) { return "1.10.0"; }
static const struct { void *get_api; const char *(*get_version)(void); } base = {NULL, version};
const void *OrtGetApiBase(void) { return &base; }
`))
	if out, err := exec.Command(compiler, "-shared", "-fPIC", "-w", "-o", "old.so", "old.c").CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, out)
	}
	fails(t, "eval model.onnx --data bands --ort-lib old.so", "old.so", "1.10.0", ort.MinimumVersion)
}

// changeOperator writes a model in which nodes of one operator call another.
func changeOperator(t *testing.T, path, from, to, output string) {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Is(from) {
			n.SetOpType(to)
		}
	}
	if err := m.Save(output, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
}

// changeBank writes a model with another bank than it records.
func changeBank(t *testing.T, path, output string) {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	bank := m.Graph.Value("conv1.bank")
	zeros := make([]float32, bank.Constant().Len())
	bank.SetConstant(onnxgraph.NewTensor(bank.Constant().Dims(), zeros))
	if err := m.Save(output, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
}
