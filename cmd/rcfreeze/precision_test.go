package main

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// inspected returns the type of a model's input, and how many blocks it has.
func inspected(t *testing.T, path string) (dtype string, blocks int) {
	t.Helper()
	r := succeedJSON[rcfreeze.Inspection](t, "inspect", path)
	return r.Inputs[0].DType, len(r.Blocks)
}

// TestPrecision converts to another type, with blocks if a flag asks for some, and says whether there are any.
func TestPrecision(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "half.onnx", "--precision", "fp16")
	for _, c := range []struct {
		args   []string
		dtype  string
		blocks int
		talk   []string
	}{
		{[]string{"half.onnx", "--precision", "fp32"}, "float32", 0, []string{`"input" takes float32`, "no frozen blocks were made"}},
		{[]string{"half.onnx", "--precision", "fp32", "--blocks"}, "float32", 2, []string{"10 constants are float32 now"}},
		{[]string{"half.onnx", "--precision", "fp32", "-E", "2"}, "float32", 2, nil},
		{[]string{"half.onnx", "--precision", "fp32", "--reinit"}, "float32", 2, nil},
		{[]string{"half.onnx", "--precision", "fp16"}, "float16", 0, []string{"changes nothing"}},
		{[]string{"half.onnx", "--precision", "fp32", "--num-classes", "5"}, "float32", 0, []string{"5 classes", "no frozen blocks were made"}},
		{[]string{"model.onnx", "--precision", "fp16", "--layout", "depthwise"}, "float16", 2, nil},
	} {
		name := strings.Join(c.args, " ")
		_, talk, code := call(append([]string{"convert", "-o", "out.onnx"}, c.args...)...)
		if code != exitDone {
			t.Fatalf("%s: %s", name, talk)
		}
		if dtype, blocks := inspected(t, "out.onnx"); dtype != c.dtype || blocks != c.blocks {
			t.Errorf("%s: %s and %d blocks, want %s and %d", name, dtype, blocks, c.dtype, c.blocks)
		}
		for _, want := range c.talk {
			if !strings.Contains(talk, want) {
				t.Errorf("%s says %q, want it to say %q", name, talk, want)
			}
		}
	}
	for _, c := range [][]string{{"--precision", "fp8"}, {"--precision", "fp32", "--blocks=false", "-E", "2"}} {
		if _, talk, code := call(append([]string{"convert", "half.onnx", "-o", "out.onnx"}, c...)...); code != exitUsage || !strings.Contains(talk, "--") {
			t.Errorf("%q: exit code %d: %s", c, code, talk)
		}
	}
	again := succeedJSON[rcfreeze.Converted](t, "convert", "half.onnx", "-o", "out.onnx", "--precision", "fp32")
	if again.Precision == nil || again.Precision.Constants != 10 || again.Converted != 0 {
		t.Errorf("as JSON: %+v", again)
	}
}

// TestAdviceOnPrecision follows the advice that training on float16 gives.
func TestAdviceOnPrecision(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "half.onnx", "--precision", "fp16")
	m, err := onnxgraph.Load("half.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if names, err := parameter.Baseline.Trained(m); err != nil || len(names) != 10 {
		t.Fatalf("%q, %v", names, err)
	}
	train := func(model string) (talk string, code int) {
		_, talk, code = call("train", model, "-o", "trained.onnx", "--data", "bands", "--epochs", "1", "-b", "16")
		return talk, code
	}
	talk, code := train("half.onnx")
	if code == exitDone || !strings.Contains(talk, "rcfreeze convert MODEL -o OUT --precision fp32") {
		t.Errorf("training in float16: exit code %d, and it says %q", code, talk)
	}
	succeed(t, "convert", "half.onnx", "-o", "single.onnx", "--precision", "fp32")
	if talk, code := train("single.onnx"); code != exitDone {
		t.Errorf("training what was made by the advice: %s", talk)
	}
}

// TestLeftOut tells how many images a calibration takes of those that there are.
func TestLeftOut(t *testing.T) {
	workshop(t)
	for _, c := range []struct{ args, want string }{
		{"recalibrate net.onnx -o out.onnx --data bands -b 16 --images 20", "took 16 of the 48 training images"},
		{"recalibrate net.onnx -o out.onnx --data bands -b 32 --images 0", "left out 16 of the 48 training images, which do not fill a batch of 32"},
		{"recalibrate net.onnx -o out.onnx --data bands -b 32", "left out 16 of the 48 training images"},
		{"recalibrate net.onnx -o out.onnx --data bands -b 16", ""},
		{"convert net.onnx -o out.onnx --pointwise calibrate --data bands --calibration-images 20", "took 20 of the 48 training images"},
		{"convert net.onnx -o out.onnx --pointwise calibrate --data bands", ""},
		{"convert model.onnx -o out.onnx --add-batchnorm --data bands --calibration-images 30", "took 30 of the 48 training images"},
	} {
		succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
		_, talk, code := call(strings.Fields(c.args)...)
		if code != exitDone || !strings.Contains(talk, c.want) || c.want == "" && strings.Contains(talk, "took") {
			t.Errorf("%s: exit code %d, says %q, want %q", c.args, code, talk, c.want)
		}
	}
}
