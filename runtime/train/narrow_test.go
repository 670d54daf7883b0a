package train_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// as returns the numbers of a tensor as another type.
func as(t *testing.T, dtype onnxgraph.DType, tensor *onnxgraph.Tensor) *onnxgraph.Tensor {
	t.Helper()
	data, err := tensor.Float64s()
	if err != nil {
		t.Fatal(err)
	}
	out, err := onnxgraph.FromFloat64s(dtype, tensor.Dims(), data)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestOtherTypes trains a network whose weights the file has in other types, with casts to float32 behind them: as float32 with
// the same numbers, and it comes out rounded to the types of the file.
func TestOtherTypes(t *testing.T) {
	t.Parallel()
	for _, dtype := range []onnxgraph.DType{onnxgraph.Float16, onnxgraph.BFloat16, onnxgraph.Float64} {
		t.Run(dtype.String(), func(t *testing.T) {
			plain := leNet(t)
			names, err := parameter.Baseline.Trained(plain)
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range names {
				v := plain.Graph.Value(name)
				v.SetConstant(as(t, onnxgraph.Float32, as(t, dtype, v.Constant())))
			}
			other := plain.Clone()
			for _, name := range names {
				v := other.Graph.Value(name)
				uses := v.Uses()
				moved := v
				if len(v.Constant().Dims()) == 2 { // there and back again
					moved = other.Graph.AddNode("Transpose", []*onnxgraph.Value{v}).Output(0)
					moved = other.Graph.AddNode("Transpose", []*onnxgraph.Value{moved}).Output(0)
				}
				moved = other.Graph.AddNode("Cast", []*onnxgraph.Value{moved}, onnxgraph.Int("to", int64(onnxgraph.Float32))).Output(0)
				for _, u := range uses {
					u.Node.SetInput(u.Index, moved)
				}
				v.SetConstant(as(t, dtype, v.Constant()))
			}
			var results []map[string]*onnxgraph.Tensor
			var losses []float64
			for _, m := range []*onnxgraph.Model{plain, other} {
				r := newRun(t, m, parameter.Baseline)
				r.Recipe.Epochs = 1
				if !slices.Equal(slices.Sorted(slices.Values(r.Recipe.Trained)), slices.Sorted(slices.Values(names))) {
					t.Errorf("%v train, want %v", r.Recipe.Trained, names)
				}
				result := do(t, r)
				values := map[string]*onnxgraph.Tensor{}
				for _, name := range names {
					values[name] = result.Model.Graph.Value(name).Constant()
				}
				results, losses = append(results, values), append(losses, result.History[0].TrainLoss)
			}
			if losses[0] != losses[1] {
				t.Errorf("the training loss is %v, of float32 %v", losses[1], losses[0])
			}
			for _, name := range names {
				want, _ := as(t, dtype, results[0][name]).Float64s()
				got, err := results[1][name].Float64s()
				if err != nil || results[1][name].DType() != dtype || !slices.Equal(got, want) {
					t.Errorf("%s is not what float32 gives, rounded to %v (%v)", name, dtype, err)
				}
				before, _ := plain.Graph.Value(name).Constant().Float64s()
				if slices.Equal(got, before) {
					t.Errorf("%s did not train", name)
				}
			}
		})
	}
}
