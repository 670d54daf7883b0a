package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/spf13/pflag"
)

func TestNormalizeFlags(t *testing.T) {
	parse := func(t *testing.T, args string) (f normalizeFlags, err error) {
		t.Helper()
		flags := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.add(flags, fromTraining)
		if err := flags.Parse(strings.Fields(args)); err != nil {
			return f, err
		}
		return f, f.check()
	}
	for args, want := range map[string]dataset.Normalization{
		"--normalize none":                   {},
		"--normalize none --channels bgr":    {Channels: "bgr"},
		"--normalize mnist":                  {Mean: []float64{0.1307}, Std: []float64{0.3081}},
		"--normalize cifar10 --channels bgr": {Mean: []float64{0.4465, 0.4822, 0.4914}, Std: []float64{0.2616, 0.2435, 0.2470}, Channels: "bgr"},
		"--mean 0 --std 1/255":               {Mean: []float64{0}, Std: []float64{1.0 / 255}},
		"--mean 0.5,1/4,0 --std 0.5":         {Mean: []float64{0.5, 0.25, 0}, Std: []float64{0.5, 0.5, 0.5}},
		"--mean 0.5 --std 0.5,0.25,1":        {Mean: []float64{0.5, 0.5, 0.5}, Std: []float64{0.5, 0.25, 1}},
		"--pixels 0:1":                       {Mean: []float64{0}, Std: []float64{1}},
		"--pixels 0:255":                     {Mean: []float64{0}, Std: []float64{1.0 / 255}},
		"--pixels -1:1 --channels rgb":       {Mean: []float64{0.5}, Std: []float64{0.5}},
		"--pixels 0:255 --mean 51,102,255 --std 127.5 --channels bgr": {Mean: []float64{0.2, 0.4, 1}, Std: []float64{0.5, 0.5, 0.5}, Channels: "bgr"},
		"--pixels -1:1 --mean 0 --std 0.5":                            {Mean: []float64{0.5}, Std: []float64{0.25}},
	} {
		f, err := parse(t, args)
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if got, ok := f.given(); !ok || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v; want %+v", args, got, ok, want)
		}
	}
	for _, args := range []string{"", "--channels bgr"} {
		if f, err := parse(t, args); err != nil {
			t.Errorf("%s: %v", args, err)
		} else if n, ok := f.given(); ok {
			t.Errorf("%q gives %+v", args, n)
		}
	}
	for args, want := range map[string]string{
		"--mean 0.5": "--std 1 divides by nothing",
		"--std 0.5":  "--mean 0 subtracts nothing",
		"--mean 123.675,116.28,103.53 --std 58.395,57.12,57.375": "for pixels from 0 to 255, but pixels go from 0 to 1: give --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225",
		"--mean 127.5 --std 127.5":                               "--mean 0.5 --std 0.5",
		"--mean 0 --std 255":                                     "--mean 0 --std 1",
		"--mean 104,117,123 --std 1":                             "--pixels 0:255",
		"--mean 0.485 --std 58.4":                                "--std 0.229",
		"--pixels 0:255 --mean 0.485 --std 0.229":                "--std 0.229: must be from 0.498 to 255",
		"--pixels -1:1 --mean 104 --std 1":                       "--mean 104: is outside the range of pixels, -1 to 1",
		"--mean -0.5 --std 0.5":                                  "--mean -0.5: is outside",
		"--mean 0 --std 0":                                       "--std 0: must be from",
		"--mean 0 --std -1":                                      "--std -1: must be from",
		"--mean 0 --std 500":                                     "--std 500: must be from",
		"--mean 0.1,0.2 --std 0.1,0.2,0.3":                       "--mean has 2 numbers, --std has 3",
		"--mean x --std 1":                                       `"x" is not a number or a fraction`,
		"--mean 1/0 --std 1":                                     `"1/0"`,
		"--mean NaN --std 1":                                     `"NaN"`,
		"--pixels 255":                                           `"255" is not the values of black and white, such as 0:1, 0:255 or -1:1`,
		"--pixels 1:1":                                           `"1:1"`,
		"--pixels 255:0":                                         `"255:0"`,
		"--pixels 0:Inf":                                         `"0:Inf"`,
		"--normalize svhn":                                       `"svhn"`,
		"--normalize mnist --mean 0 --std 1":                     "give either --normalize, or",
		"--normalize none --pixels 0:255":                        "give either --normalize, or",
	} {
		if _, err := parse(t, args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q in it", args, err, want)
		}
	}
}

func TestImageSizeFlag(t *testing.T) {
	for text, want := range map[string]imageSize{"224": {224, 224}, "224x160": {224, 160}, "8X9": {8, 9}} {
		var s imageSize
		if err := s.Set(text); err != nil || s != want {
			t.Errorf("%s is %+v (%v), want %+v", text, s, err, want)
		}
	}
	for _, text := range []string{"", "0", "x", "8x", "x8", "8x0", "-1", "8x8x8", "1e3", "70000"} {
		if err := new(imageSize).Set(text); err == nil {
			t.Errorf("%q is taken for a size", text)
		}
	}
}

// changeInput writes a model whose input has another type, which a Cast brings back to float32, and another shape.
func changeInput(t *testing.T, path string, dtype onnxgraph.DType, shape []onnxgraph.Dim, output string) {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	input := m.Graph.Inputs()[0]
	if shape == nil {
		shape, _ = input.Shape()
	}
	if dtype == onnxgraph.Float32 {
		input.SetType(dtype, shape)
	} else {
		images, err := m.Graph.AddInput("images", dtype, shape)
		if err != nil {
			t.Fatal(err)
		}
		cast := m.Graph.AddNode("Cast", []*onnxgraph.Value{images}, onnxgraph.Int("to", int64(onnxgraph.Float32)))
		m.Graph.Insert(m.Graph.Nodes()[0], cast)
		onnxgraph.ReplaceUses(input, cast.Output(0))
		m.Graph.RemoveInput(input)
	}
	if err := m.Save(output, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
}

// TestInputTypes runs models that take other types than float32, beside the same model that takes float32.
func TestInputTypes(t *testing.T) {
	workshop(t)
	want := succeedJSON[rcfreeze.Evaluation](t, "eval", "model.onnx", "--data", "bands", "--pixels", "0:255")
	for _, dtype := range []onnxgraph.DType{onnxgraph.Uint8, onnxgraph.Int32, onnxgraph.Int64, onnxgraph.Float64, onnxgraph.Float16} {
		changeInput(t, "model.onnx", dtype, nil, "typed.onnx")
		args := []string{"eval", "typed.onnx", "--data", "bands"}
		if dtype.IsFloat() {
			args = append(args, "--pixels", "0:255")
		}
		got := succeedJSON[rcfreeze.Evaluation](t, args...)
		if got.Result != want.Result || !reflect.DeepEqual(got.Normalize, want.Normalize) {
			t.Errorf("%v: %+v of pixels %+v, want %+v of %+v", dtype, got.Result, got.Normalize, want.Result, want.Normalize)
		}
	}
	changeInput(t, "model.onnx", onnxgraph.Uint8, nil, "bytes.onnx")
	_, stderr, _ := call("eval", "bytes.onnx", "--data", "bands")
	if !strings.Contains(stderr, "pixels as they are, 0 to 255") {
		t.Errorf("said %q", stderr)
	}
	fails(t, "eval bytes.onnx --data bands --normalize none", "bytes.onnx", "whole numbers", "--pixels 0:255")
	for _, command := range []string{"eval bytes.onnx", "train bytes.onnx -o out.onnx", "compare bytes.onnx -o report"} {
		fails(t, command+" --data bands --epsilon 1/255", "--epsilon", "bytes.onnx", "no gradient")
	}
	succeed(t, "convert", "model.onnx", "-o", "half.onnx", "--precision", "fp16")
	half := succeedJSON[rcfreeze.Evaluation](t, "eval", "half.onnx", "--data", "bands", "--pixels", "0:255", "--epsilon", "1/255")
	if _, stderr, _ := call("eval", "half.onnx", "--data", "bands", "--pixels", "0:255"); !strings.Contains(stderr, "half.onnx has inputs or outputs that are not float32") {
		t.Errorf("said %q", stderr)
	}
	if difference := math.Abs(half.Loss-want.Loss) / want.Loss; difference == 0 || difference > 0.01 {
		t.Errorf("weights rounded to float16 give a loss of %v, float32 ones %v", half.Loss, want.Loss)
	}
	changeInput(t, "model.onnx", onnxgraph.Int8, nil, "signed.onnx")
	fails(t, "eval signed.onnx --data bands --pixels 0:255", "signed.onnx", "int8", "cannot hold pixels")
	trained := succeedJSON[rcfreeze.Trained](t, trainArgs("bytes.onnx", "tuned.onnx", "--epochs", "1")...)
	beside := succeedJSON[rcfreeze.Trained](t, trainArgs("model.onnx", "beside.onnx", "--epochs", "1", "--pixels", "0:255")...)
	if trained.Result != beside.Result {
		t.Errorf("training on bytes gives %+v, on the same numbers as float32 %+v", trained.Result, beside.Result)
	}
	if in := succeedJSON[rcfreeze.Inspection](t, "inspect", "tuned.onnx").Inputs[0]; in.DType != "uint8" {
		t.Errorf("the trained model takes %s", in.DType)
	}
	succeed(t, "convert", "bytes.onnx", "-o", "blocks.onnx", "--pointwise", "calibrate", "--data", "bands", "--calibration-images", "8")
}

// TestOpenImageSize has every command take images of a size that the model leaves open.
func TestOpenImageSize(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "fixed.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	changeInput(t, "fixed.onnx", onnxgraph.Float32, []onnxgraph.Dim{{Size: -1, Param: "N"}, {Size: 1}, {Size: -1, Param: "h"}, {Size: -1, Param: "w"}}, "open.onnx")
	for class, name := range bandNames {
		writeBandFolder(t, "images/train/"+name, class, 4)
		writeBandFolder(t, "images/val/"+name, class, 2)
	}
	for _, command := range []string{
		"eval open.onnx",
		"train open.onnx -o out.onnx --epochs 1 -b 4",
		"compare open.onnx -o report --epochs 1 -b 4 --variants baseline",
		"recalibrate open.onnx -o out.onnx -b 4",
		"convert open.onnx -o out.onnx --pointwise calibrate --calibration-images 4",
	} {
		fails(t, command+" --data images", "--image-size")
		succeed(t, strings.Fields(command+" --data images --image-size 12x16")...)
	}
	fixed := succeedJSON[rcfreeze.Evaluation](t, "eval", "fixed.onnx", "--data", "images", "--normalize", "none")
	if open := succeedJSON[rcfreeze.Evaluation](t, "eval", "open.onnx", "--data", "images", "--normalize", "none", "--image-size", "12"); open.Result != fixed.Result {
		t.Errorf("with --image-size 12 %+v, with the size in the model %+v", open.Result, fixed.Result)
	}
	succeed(t, "eval", "open.onnx", "--data", "bands", "--image-size", "10") // scales, without --resize
	fails(t, "eval fixed.onnx --data images --image-size 16", "--image-size 16", "fixed.onnx", "12×12")
}

// TestRecords follows what a model records of its images and classes through all commands that write models.
func TestRecords(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	write(t, "names.txt", []byte("zero\none\ntwo\n"))
	names, pixels := []string{"zero", "one", "two"}, &dataset.Normalization{Mean: []float64{0.25}, Std: []float64{0.5}}
	const told = " --mean 1/4 --std 0.5 --classes names.txt"
	const data = " --data bands --epochs 1 -b 8"
	for _, c := range []struct {
		command, output string
	}{
		{"convert net.onnx -o told.onnx" + told, "told.onnx"},
		{"convert net.onnx -o calibrated.onnx --pointwise calibrate --calibration-images 8 --data bands" + told, "calibrated.onnx"},
		{"convert net.onnx -o norms.onnx --add-batchnorm --calibration-images 8 --data bands" + told, "norms.onnx"},
		{"recalibrate net.onnx -o net-calibrated.onnx -b 8 --data bands" + told, "net-calibrated.onnx"},
		{"train net.onnx -o net-trained.onnx" + data + told, "net-trained.onnx"},
		{"compare net.onnx -o net-compared --variants baseline" + data + told, "net-compared/baseline-seed0-*/model.onnx"},
		// From here on nothing is told: it comes from the file.
		{"calibrate told.onnx -o kept.onnx -b 8 --data bands", "kept.onnx"},
		{"train told.onnx -o trained.onnx" + data, "trained.onnx"},
		{"export told.onnx -o exported.onnx", "exported.onnx"},
		{"convert net-trained.onnx -o again.onnx", "again.onnx"},
		{"compare net-trained.onnx -o compared --variants frozen" + data, "compared/frozen-x1-seed0-*/model.onnx"},
	} {
		_, stderr, code := call(strings.Fields(c.command)...)
		if code != exitDone || strings.Contains(stderr, "normalizing by") {
			t.Errorf("rcfreeze %s: exit code %d, said %s", c.command, code, stderr)
			continue
		}
		output, err := filepath.Glob(c.output)
		if err != nil || len(output) != 1 {
			t.Fatalf("rcfreeze %s: %s is %v, want one file", c.command, c.output, output)
		}
		r := succeedJSON[rcfreeze.Inspection](t, "inspect", output[0])
		if !slices.Equal(r.Classes, names) || !reflect.DeepEqual(r.Normalize, pixels) {
			t.Errorf("rcfreeze %s: the model records classes %v, normalization %+v", c.command, r.Classes, r.Normalize)
		}
	}
	for _, text := range []string{"classes", "3: zero, one, two", "normalization", "mean 0.25, standard deviation 0.5, of pixels from 0 to 1"} {
		if stdout := succeed(t, "inspect", "told.onnx"); !strings.Contains(stdout, text) {
			t.Errorf("inspect does not print %q:\n%s", text, stdout)
		}
	}
	if r := succeedJSON[rcfreeze.Inspection](t, "inspect", "net.onnx"); r.Classes != nil || r.Normalize != nil {
		t.Errorf("a new model records %v, %v", r.Classes, r.Normalize)
	}
	fails(t, "convert net.onnx -o out.onnx --classes model.onnx", "model.onnx")
	write(t, "four.txt", []byte("a\nb\nc\nd\n"))
	fails(t, "convert net.onnx -o out.onnx --classes four.txt", "--classes names 4 classes", "4 classes", "has 3")
	fails(t, "convert net.onnx -o out.onnx --mean 100 --std 50", "for pixels from 0 to 255")
	fails(t, "convert net.onnx -o out.onnx --channels bgr", "--channels bgr", "--normalize")
}

// TestChannelOrder measures a model that takes blue first.
func TestChannelOrder(t *testing.T) {
	workshop(t)
	succeed(t, "new", "lenet", "-o", "rgb.onnx", "--classes", "3", "--input", "3x12x12", "--width", "3")
	writeColors(t, "colors")
	m, err := onnxgraph.Load("rgb.onnx")
	if err != nil {
		t.Fatal(err)
	}
	input := m.Graph.Inputs()[0]
	shape, _ := input.Shape()
	images, err := m.Graph.AddInput("images", onnxgraph.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	order := m.Graph.AddConstant("order", onnxgraph.NewTensor([]int64{3}, []int64{2, 1, 0}))
	swapped := m.Graph.AddNode("Gather", []*onnxgraph.Value{images, order}, onnxgraph.Int("axis", 1))
	m.Graph.Insert(m.Graph.Nodes()[0], swapped)
	onnxgraph.ReplaceUses(input, swapped.Output(0))
	m.Graph.RemoveInput(input)
	if err := m.Save("bgr.onnx", onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ rgb, bgr string }{
		{"--normalize none", "--normalize none --channels bgr"},
		{"--normalize cifar10", "--normalize cifar10 --channels bgr"},
		{"--pixels 0:255 --mean 10,20,30 --std 1,2,3", "--pixels 0:255 --mean 30,20,10 --std 3,2,1 --channels bgr"},
		{"", "--channels bgr"}, // measured
	} {
		want := succeedJSON[rcfreeze.Evaluation](t, append([]string{"eval", "rgb.onnx", "--data", "colors", "--epsilon", "4/255"}, strings.Fields(c.rgb)...)...)
		got := succeedJSON[rcfreeze.Evaluation](t, append([]string{"eval", "bgr.onnx", "--data", "colors", "--epsilon", "4/255"}, strings.Fields(c.bgr)...)...)
		if !reflect.DeepEqual(got.Result, want.Result) {
			t.Errorf("%s gives %+v, %s gives %+v with blue first", c.rgb, want.Result, c.bgr, got.Result)
		}
	}
	plain := succeedJSON[rcfreeze.Evaluation](t, "eval", "bgr.onnx", "--data", "colors", "--normalize", "none")
	right := succeedJSON[rcfreeze.Evaluation](t, "eval", "rgb.onnx", "--data", "colors", "--normalize", "none")
	if plain.Loss == right.Loss {
		t.Error("the order of channels makes no difference: this tests nothing")
	}
	succeed(t, "train", "bgr.onnx", "-o", "tuned.onnx", "--data", "colors", "--epochs", "1", "-b", "4", "--channels", "bgr")
	if r := succeedJSON[rcfreeze.Inspection](t, "inspect", "tuned.onnx"); r.Normalize == nil || r.Normalize.Channels != "bgr" {
		t.Errorf("the trained model records %+v", r.Normalize)
	}
	fails(t, "eval model.onnx --data bands --normalize none --channels bgr", "model.onnx", "bgr", "1 channels")
}

// writeColors writes a data set of colored noise, redder than blue, in the folders of three classes.
func writeColors(t *testing.T, root string) {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	for n := range 12 {
		img := image.NewNRGBA(image.Rect(0, 0, side, side))
		for i := 0; i < len(img.Pix); i += 4 {
			img.Pix[i], img.Pix[i+1], img.Pix[i+2], img.Pix[i+3] = byte(100+rng.IntN(156)), byte(rng.IntN(200)), byte(rng.IntN(100)), 255
		}
		var data bytes.Buffer
		if err := png.Encode(&data, img); err != nil {
			t.Fatal(err)
		}
		folder := filepath.Join(root, bandNames[n%classCount])
		if err := os.MkdirAll(folder, 0o755); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, fmt.Sprintf("%d.png", n)), data.Bytes())
	}
}
