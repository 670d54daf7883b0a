package main

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform"
)

func TestConvertCalibrated(t *testing.T) {
	workshop(t)
	args := []string{"convert", "model.onnx", "-o", "blocks.onnx", "--pointwise", "calibrate", "--data", "bands", "--calibration-images", "30", "-E", "2"}
	r := succeedJSON[rcfreeze.Converted](t, args...)
	for _, c := range r.Convolutions {
		if c.OutputError == nil || !(*c.OutputError < 1) || c.Error == nil {
			t.Errorf("%s: errors of weights and output %v, %v", c.Node, c.Error, c.OutputError)
		}
	}
	after := succeedJSON[rcfreeze.Inspection](t, "inspect", "blocks.onnx")
	if len(after.Blocks) != 2 || after.Blocks[0].Pointwise != transform.Calibrate || after.Blocks[0].Expansion != 2 {
		t.Errorf("blocks %+v", after.Blocks)
	}
	first := read(t, "blocks.onnx")
	succeed(t, args...)
	if !bytes.Equal(first, read(t, "blocks.onnx")) {
		t.Error("the same call gives another model")
	}
}

// TestConvertInterrupted stops a conversion, as Ctrl-C does.
func TestConvertInterrupted(t *testing.T) {
	workshop(t)
	before := files(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	for _, pointwise := range [][]string{nil, {"--pointwise", "calibrate", "--data", "bands"}} {
		var out, talk bytes.Buffer
		code := execute(ctx, append([]string{"convert", "model.onnx", "-o", "blocks.onnx"}, pointwise...), &out, &talk)
		if code == exitDone || out.Len() > 0 || len(files(t)) != len(before) {
			t.Errorf("%v: exit code %d, printed %q, said %q, %d files", pointwise, code, out.String(), talk.String(), len(files(t)))
		}
	}
}

// TestConvertByError looks for a smaller expansion that would have done.
func TestConvertByError(t *testing.T) {
	workshop(t)
	for _, layout := range []string{"dense", "depthwise"} {
		r := succeedJSON[rcfreeze.Converted](t, "convert", "model.onnx", "-o", "auto.onnx", "-E", "auto", "--max-error", "0.3", "--layout", layout)
		plan := succeedJSON[rcfreeze.Inspection](t, "inspect", "model.onnx", "-E", "auto", "--max-error", "0.3", "--layout", layout)
		recorded := succeedJSON[rcfreeze.Inspection](t, "inspect", "auto.onnx").Blocks
		for i, c := range r.Convolutions {
			if *c.Error > 0.3 || c.Expansion < 2 || plan.Convolutions[i].Expansion != c.Expansion || recorded[i].Expansion != c.Expansion {
				t.Errorf("%s: expansion %d, error %v; planned %d, recorded %d", c.Node, c.Expansion, *c.Error, plan.Convolutions[i].Expansion, recorded[i].Expansion)
			}
			less := succeedJSON[rcfreeze.Converted](t, "convert", "model.onnx", "-o", "less.onnx", "-E", string(count(c.Expansion-1)), "--layout", layout)
			if *less.Convolutions[i].Error <= 0.3 {
				t.Errorf("%s: expansion %d was chosen, but %d has the error %v", c.Node, c.Expansion, c.Expansion-1, *less.Convolutions[i].Error)
			}
		}
	}
}

// TestInspectPlan compares the plan with what convert does.
func TestInspectPlan(t *testing.T) {
	workshop(t)
	r := succeedJSON[rcfreeze.Inspection](t, "inspect", "model.onnx", "--plan")
	if len(r.Plan) != 2 || len(r.Plan[0].Choices) < 3 {
		t.Fatalf("plan %+v", r.Plan)
	}
	choice := r.Plan[1].Choices[1]
	done := succeedJSON[rcfreeze.Converted](t, "convert", "model.onnx", "-o", "blocks.onnx", "-E", string(count(choice.Expansion))).Convolutions[1]
	if math.Abs(*done.Error-choice.Error) > 1e-6 || done.After.Bank != choice.After.Bank || choice.After.MACs == 0 {
		t.Errorf("the plan says %+v, convert did %+v with the error %v", choice, done.After, *done.Error)
	}
	if text := succeed(t, "inspect", "model.onnx", "--plan"); !strings.Contains(text, string(decimal(choice.Error))) {
		t.Errorf("the table lacks the error %s:\n%s", decimal(choice.Error), text)
	}
	fails(t, "inspect model.onnx --plan --pointwise random", "project")
}

func TestCompareCalibrated(t *testing.T) {
	workshop(t)
	args := append([]string{"compare", "model.onnx", "-o", "report", "--variants", "frozen", "-E", "2", "--pointwise", "calibrate"}, quick...)
	r := succeedJSON[rcfreeze.Comparison](t, args...)
	if len(r.Runs) != 1 {
		t.Fatalf("runs %+v", r.Runs)
	}
	blocks := succeedJSON[rcfreeze.Inspection](t, "inspect", filepath.Join("report", r.Runs[0].Folder, "model.onnx")).Blocks
	if len(blocks) == 0 || blocks[0].Pointwise != transform.Calibrate {
		t.Errorf("blocks %+v", blocks)
	}
}
