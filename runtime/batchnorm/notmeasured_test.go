package batchnorm

import (
	"bytes"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestNotMeasured has models, images and settings with which nothing can be measured: the error says why, and the model stays as
// it was.
func TestNotMeasured(t *testing.T) {
	t.Parallel()
	set, plain := newOptions(t)
	several := newModel(t)
	if _, err := several.Graph.AddInput("mask", onnxgraph.Float32, onnxgraph.Static(1)); err != nil {
		t.Fatal(err)
	}
	wide := newModel(t)
	wide.Graph.Inputs()[0].SetType(onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(3, side, side)...))
	folder := t.TempDir()
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	for class, length := range map[string]int{"cat": 40, "dog": picture.Len()} { // the cat is cut short
		if err := os.MkdirAll(filepath.Join(folder, class), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, class, "x.png"), picture.Bytes()[:length], 0o644); err != nil {
			t.Fatal(err)
		}
	}
	damaged, err := dataset.Open(folder, dataset.Options{Shape: dataset.Shape{Channels: 1, Height: side, Width: side}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name   string
		model  *onnxgraph.Model
		set    *dataset.Dataset
		change func(*Options)
		want   string
	}{
		{"a model with two inputs", several, set, func(*Options) {}, "input"},
		{"a model for other images", wide, set, func(*Options) {}, "[8 1 12 12]"},
		{"normalization of other images", newModel(t), set, func(o *Options) { o.Normalize.Mean = []float64{0, 0} }, "2 means"},
		{"an image that cannot be read", newModel(t), damaged, func(*Options) {}, filepath.Join("cat", "x.png")},
		{"nodes that are not there", newModel(t), set, func(o *Options) { o.Means = []string{"elsewhere"} }, errNone.Error()},
	} {
		o := plain
		c.change(&o)
		before := constantsOf(c.model)
		_, err := Recalibrate(t.Context(), c.model, c.set, o)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "re-estimating the running statistics") {
			t.Errorf("%s: error %v, want %q in it", c.name, err, c.want)
		}
		if !slices.Equal(before, constantsOf(c.model)) {
			t.Errorf("%s: the model was changed", c.name)
		}
	}
}

// TestUnmerged measures blocks of which another tool has changed a bank: as they are, and it says so.
func TestUnmerged(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	m := newModel(t)
	if _, err := transform.Convert(m, transform.Options{Expansion: 2, Pointwise: transform.Random}); err != nil {
		t.Fatal(err)
	}
	found, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	said := 0
	o.Unmerged = func(fault error) {
		if said++; fault == nil {
			t.Error("it says nothing")
		}
	}
	whole := m.Clone()
	if _, err := Recalibrate(t.Context(), whole, set, o); err != nil || said != 0 {
		t.Errorf("blocks as they are recorded: %v, said %d times", err, said)
	}
	bank := found[0].Bank.Constant()
	data, err := bank.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	data = slices.Clone(data)
	data[0]++
	found[0].Bank.SetConstant(onnxgraph.NewTensor(bank.Dims(), data))
	want := naive(t, m, batches(t, set, o), o, false)
	if _, err := Recalibrate(t.Context(), m, set, o); err != nil || said != 1 {
		t.Fatalf("%v, said %d times, want once", err, said)
	}
	for name, values := range want {
		near(t, name, constantOf(t, m, name), values)
	}
}
