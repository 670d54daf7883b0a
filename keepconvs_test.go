package rcfreeze_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestWithoutBlocks records what options say of images and classes even if no blocks are made, and refuses what is for blocks.
func TestWithoutBlocks(t *testing.T) {
	ctx := context.Background()
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}
	half := dataset.Range(-1, 1)
	r, err := rcfreeze.Convert(ctx, m, rcfreeze.ConvertOptions{KeepConvs: true, Precision: "fp16", Data: rcfreeze.Data{Normalize: &half, Classes: names}})
	if err != nil {
		t.Fatal(err)
	}
	n, known, err := rcfreeze.Normalization(r.Model)
	if err != nil || !known || n.String() != half.String() {
		t.Errorf("it records the normalization %v (%v, %v), want %v", n, known, err, half)
	}
	if classes, err := rcfreeze.Classes(r.Model); err != nil || len(classes) != 10 || classes[0] != "a" {
		t.Errorf("it records the classes %q (%v)", classes, err)
	}
	for name, o := range map[string]rcfreeze.ConvertOptions{
		"BatchNorm": {KeepConvs: true, AddBatchNorm: true},
		"reinit":    {KeepConvs: true, Reinit: true},
		"data":      {KeepConvs: true, AddBatchNorm: true, Data: rcfreeze.Data{Path: stripesFolder}},
		"calibrate": {KeepConvs: true, Blocks: transform.Options{Pointwise: transform.Calibrate}, Data: rcfreeze.Data{Path: stripesFolder}},
	} {
		var wrong *rcfreeze.OptionsError
		if r, err := rcfreeze.Convert(ctx, m, o); r != nil || !errors.As(err, &wrong) {
			t.Errorf("%s: got %v, %v", name, r, err)
		}
	}
}

// TestResumeNeedsAFolder refuses to continue a run that keeps nothing.
func TestResumeNeedsAFolder(t *testing.T) {
	var wrong *rcfreeze.OptionsError
	data := rcfreeze.Data{Path: stripesFolder}
	if err := (rcfreeze.TrainOptions{Data: data, Resume: true}).Validate(); !errors.As(err, &wrong) {
		t.Errorf("got %v", err)
	}
	for _, o := range []rcfreeze.TrainOptions{{Data: data}, {Data: data, Resume: true, RunDir: temporary("run")}, {Data: data, Resume: true, Output: rcfreeze.Output{Path: temporary("out.onnx")}}} {
		if err := o.Validate(); err != nil {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
