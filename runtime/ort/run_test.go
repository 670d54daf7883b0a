package ort_test

import (
	"bytes"
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// TestRunElementTypes passes every element type through Identity, and adds where the CPU can add.
func TestRunElementTypes(t *testing.T) {
	half := func(dtype onnxgraph.DType, v ...float64) *onnxgraph.Tensor {
		x, err := onnxgraph.FromFloat64s(dtype, []int64{2}, v)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	pair := []int64{2}
	tests := []struct {
		op        string
		x, y, sum *onnxgraph.Tensor
	}{
		{"Add", onnxgraph.NewTensor(pair, []float32{1, 2}), onnxgraph.NewTensor(pair, []float32{.5, .25}), onnxgraph.NewTensor(pair, []float32{1.5, 2.25})},
		{"Add", onnxgraph.NewTensor(pair, []float64{1, 2}), onnxgraph.NewTensor(pair, []float64{.5, .25}), onnxgraph.NewTensor(pair, []float64{1.5, 2.25})},
		{"Add", onnxgraph.NewTensor(pair, []int64{1, -2}), onnxgraph.NewTensor(pair, []int64{1 << 40, 2}), onnxgraph.NewTensor(pair, []int64{1<<40 + 1, 0})},
		{"Add", onnxgraph.NewTensor(pair, []int32{1, -2}), onnxgraph.NewTensor(pair, []int32{7, 2}), onnxgraph.NewTensor(pair, []int32{8, 0})},
		{"Add", half(onnxgraph.Float16, 1, 2), half(onnxgraph.Float16, .5, .25), half(onnxgraph.Float16, 1.5, 2.25)},
		{"And", onnxgraph.NewTensor(pair, []bool{true, true}), onnxgraph.NewTensor(pair, []bool{true, false}), onnxgraph.NewTensor(pair, []bool{true, false})},
		{"Identity", onnxgraph.NewTensor(pair, []int8{1, -2}), nil, onnxgraph.NewTensor(pair, []int8{1, -2})},
		{"Identity", onnxgraph.NewTensor(pair, []int16{1, -2}), nil, onnxgraph.NewTensor(pair, []int16{1, -2})},
		{"Identity", onnxgraph.NewTensor(pair, []uint8{1, 255}), nil, onnxgraph.NewTensor(pair, []uint8{1, 255})},
		{"Identity", onnxgraph.NewTensor(pair, []uint16{1, 65535}), nil, onnxgraph.NewTensor(pair, []uint16{1, 65535})},
		{"Identity", onnxgraph.NewTensor(pair, []uint32{1, 1 << 31}), nil, onnxgraph.NewTensor(pair, []uint32{1, 1 << 31})},
		{"Identity", onnxgraph.NewTensor(pair, []uint64{1, 1 << 63}), nil, onnxgraph.NewTensor(pair, []uint64{1, 1 << 63})},
		{"Identity", half(onnxgraph.BFloat16, 1.5, -2), nil, half(onnxgraph.BFloat16, 1.5, -2)},
	}
	for _, test := range tests {
		dtype := test.x.DType()
		t.Run(fmt.Sprintf("%s %v", test.op, dtype), func(t *testing.T) {
			g := newGraph(t)
			values := []*onnxgraph.Value{g.input("x", dtype, 2)}
			inputs := tensors{"x": test.x}
			if test.y != nil {
				values, inputs["y"] = append(values, g.input("y", dtype, 2)), test.y
			}
			g.output("z", g.op(test.op, values...), dtype, 2)
			outputs, err := g.open(ort.Options{}).Run(inputs)
			if err != nil {
				t.Fatal(err)
			}
			got, err := outputs["z"].Raw()
			want, _ := test.sum.Raw()
			if err != nil || outputs["z"].DType() != dtype || !bytes.Equal(got, want) {
				t.Errorf("got %v % x (%v), want %v % x", outputs["z"].DType(), got, err, dtype, want)
			}
			wantDims(t, "z", outputs["z"], 2)
		})
	}
}

func TestRunOpenBatch(t *testing.T) {
	g := newGraph(t)
	w := g.constant("w", onnxgraph.NewTensor([]int64{2}, []float32{10, 20}))
	g.output("y", g.op("Add", g.input("x", onnxgraph.Float32, -1, 2), w), onnxgraph.Float32, -1, 2)
	s := g.open(ort.Options{IntraOpThreads: 1, DisableOptimization: true})
	if p := s.Inputs()[0]; p.Name != "x" || p.DType != onnxgraph.Float32 || fmt.Sprint(p.Shape) != "[-1 2]" {
		t.Errorf("input is %+v", p)
	}
	if p := s.Outputs()[0]; p.Name != "y" || p.DType != onnxgraph.Float32 || fmt.Sprint(p.Shape) != "[-1 2]" {
		t.Errorf("output is %+v", p)
	}
	for batch, want := range [][]float32{{}, {10, 21}, {10, 21, 12, 23}} {
		x := make([]float32, 2*batch)
		for i := range x {
			x[i] = float32(i)
		}
		n := int64(batch)
		outputs, err := s.Run(tensors{"x": onnxgraph.NewTensor([]int64{n, 2}, x)})
		if err != nil {
			t.Fatalf("batch %d: %v", batch, err)
		}
		wantFloats(t, "y", floats(t, outputs["y"]), want...)
		wantDims(t, "y", outputs["y"], n, 2)
	}
}

func TestRunEmptyTensorsOfEveryKind(t *testing.T) {
	for _, dtype := range []onnxgraph.DType{onnxgraph.Float32, onnxgraph.Float16, onnxgraph.Int64} {
		g := newGraph(t)
		g.output("y", g.op("Identity", g.input("x", dtype, 0, 3)), dtype, 0, 3)
		outputs, err := g.open(ort.Options{}).Run(tensors{"x": onnxgraph.NewRawTensor(dtype, []int64{0, 3}, nil)})
		if err != nil {
			t.Fatalf("%v: %v", dtype, err)
		}
		wantDims(t, dtype.String(), outputs["y"], 0, 3)
	}
}

func TestRunScalars(t *testing.T) {
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float32)
	g.output("y", g.op("Add", x, x), onnxgraph.Float32)
	outputs, err := g.open(ort.Options{}).Run(tensors{"x": onnxgraph.NewScalar[float32](1.5)})
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, "y", floats(t, outputs["y"]), 3)
	wantDims(t, "y", outputs["y"])
}

// TestRunUnknownRanks has scalars beside outputs whose rank only a run shows, one of them with one
// element, so that a scalar would hold it.
func TestRunUnknownRanks(t *testing.T) {
	s := openFile(t, filepath.Join("testdata", "ranks.onnx"))
	for _, p := range s.Outputs() {
		if len(p.Shape) > 0 {
			t.Fatalf("ONNX Runtime knows the rank of %q already: the test shows nothing", p.Name)
		}
	}
	for range 2 { // the second run uses what the first learned
		outputs, err := s.Run(tensors{
			"x":     onnxgraph.NewTensor([]int64{1}, []float32{3}),
			"shape": onnxgraph.NewTensor([]int64{2}, []int64{1, 1}),
		})
		if err != nil {
			t.Fatal(err)
		}
		for name, rank := range map[string][]int64{"reshaped": {1, 1}, "sum": {}, "one": {1, 1}, "total": {}} {
			wantFloats(t, name, floats(t, outputs[name]), 3)
			wantDims(t, name, outputs[name], rank...)
		}
	}
}

func TestRunWithoutInputs(t *testing.T) {
	g := newGraph(t)
	c := g.constant("c", onnxgraph.NewTensor([]int64{2}, []float32{1, 2}))
	g.output("y", g.op("Neg", c), onnxgraph.Float32, 2)
	outputs, err := g.open(ort.Options{}).Run(nil)
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, "y", floats(t, outputs["y"]), -1, -2)
}

func TestRunWithoutInputsNeedsFixedDims(t *testing.T) {
	g := newGraph(t)
	c := g.constant("c", onnxgraph.NewTensor([]int64{2}, []float32{0, 2}))
	g.output("y", g.op("NonZero", c), onnxgraph.Int64, 1, -1)
	_, err := g.open(ort.Options{}).Run(nil)
	wantError(t, err, `"y"`, "int64[1,?]")
}

func TestRunRefusesAbsurdShapes(t *testing.T) {
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float16, 1)
	shape := g.constant("shape", onnxgraph.NewTensor([]int64{2}, []int64{1 << 40, 1 << 40}))
	g.output("y", g.op("Expand", x, shape), onnxgraph.Float16, 1<<40, 1<<40)
	_, err := g.open(ort.Options{}).Run(tensors{"x": onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{1}, []byte{0, 0x3c})})
	wantError(t, err, `"y"`, "cannot hold")
}

func TestRunReadsOnlyNamedOutputs(t *testing.T) {
	s := openFile(t, filepath.Join("testdata", "sequence.onnx"))
	x := tensors{"x": onnxgraph.NewTensor([]int64{2}, []float32{1, 2})}
	outputs, err := s.Run(x, "y")
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, "y", floats(t, outputs["y"]), -1, -2)
	if len(outputs) != 1 {
		t.Errorf("got %d outputs, want 1", len(outputs))
	}
	_, err = s.Run(x)
	wantError(t, err, `"list"`, "SEQUENCE")
}

func TestRunReadsExternalData(t *testing.T) {
	s := openFile(t, filepath.Join("testdata", "external.onnx"))
	outputs, err := s.Run(tensors{"x": onnxgraph.NewTensor([]int64{4}, []float32{1, 1, 1, 1})})
	if err != nil {
		t.Fatal(err)
	}
	wantFloats(t, "y", floats(t, outputs["y"]), 2, 3, 4, 5)
}

func TestRunListsAllProblems(t *testing.T) {
	g := newGraph(t)
	a, b := g.input("a", onnxgraph.Float32, -1, 2), g.input("b", onnxgraph.Float32, 2)
	c, d := g.input("c", onnxgraph.Float32, 2), g.input("d", onnxgraph.Float32, 2)
	g.output("y", g.op("Sum", a, b, c, d), onnxgraph.Float32, -1, 2)
	s := g.open(ort.Options{})
	_, err := s.Run(tensors{
		"a":     onnxgraph.NewTensor([]int64{1, 3}, []float32{1, 2, 3}),
		"b":     onnxgraph.NewTensor([]int64{2}, []int64{1, 2}),
		"c":     onnxgraph.NewTensor([]int64{2}, []float32{1, 2}),
		"image": onnxgraph.NewScalar[float32](1),
	}, "probability")
	wantError(t, err, "a model in memory", `input "a" needs float32[?,2], got float32[1,3]`,
		`input "b" needs float32[2], got int64[2]`, `input "d" is missing: it needs float32[2]`,
		`unknown input "image"`, `unknown output "probability"`)
}

func TestRunNamesWhatCannotBeRead(t *testing.T) {
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float16, -1)
	g.output("y", g.op("Identity", x), onnxgraph.Float16, -1)
	g.output("z", g.op("Shape", x), onnxgraph.Int64, 1)
	s := g.open(ort.Options{})
	inputs := tensors{"x": onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{1}, []byte{0, 0x3c})}
	_, err := s.Run(inputs)
	wantError(t, err, `"y" is float16[?]`, "fixed dims")
	if _, err := s.Run(inputs, "z"); err != nil {
		t.Error(err)
	}
}

func TestRunAfterClose(t *testing.T) {
	s := openFile(t, filepath.Join("testdata", "external.onnx"))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, err := s.Run(tensors{})
	wantError(t, err, "closed")
}

func TestRunConcurrently(t *testing.T) {
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float32, -1)
	g.output("y", g.op("Mul", x, x), onnxgraph.Float32, -1)
	s := g.open(ort.Options{IntraOpThreads: 1})
	var group sync.WaitGroup
	for worker := range 8 {
		group.Go(func() {
			for i := range 50 {
				v := float32(worker*100 + i)
				outputs, err := s.Run(tensors{"x": onnxgraph.NewTensor([]int64{2}, []float32{v, -1})})
				if err != nil {
					t.Error(err)
					return
				}
				wantFloats(t, "y", floats(t, outputs["y"]), v*v, 1)
			}
		})
	}
	group.Wait()
}
