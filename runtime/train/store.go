package train

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// store writes the state of a step to the constants of the model that the step was built from, and marks its blocks as trained.
func store(m *onnxgraph.Model, step *trainstep.Step, states map[string]*onnxgraph.Tensor) error {
	blocks, err := transform.Blocks(m) // must come before banks change
	if err != nil {
		return err
	}
	vector, err := states[trainstep.ParametersSlot].Float32s()
	if err != nil {
		return err
	}
	parameters, err := step.Trained(vector)
	if err != nil {
		return err
	}
	if err := unpack(m, step.Parameters, parameters); err != nil {
		return err
	}
	if len(step.Statistics) > 0 {
		statistics, err := states[trainstep.StatisticsSlot].Float32s()
		if err != nil {
			return err
		}
		if err := unpack(m, step.Statistics, statistics); err != nil {
			return err
		}
	}
	for i := range blocks {
		if err := blocks[i].RecordTraining(m); err != nil {
			return err
		}
	}
	return nil
}

// unpack stores the segments of a vector.
func unpack(m *onnxgraph.Model, segments []trainstep.Segment, data []float32) error {
	for _, s := range segments {
		v := m.Graph.Value(s.Name)
		if v == nil {
			return fmt.Errorf("the model has no value %q", s.Name)
		}
		piece := data[s.Offset : s.Offset+s.Len()]
		t := onnxgraph.NewTensor(s.Shape, piece)
		if v.DType() != onnxgraph.Float32 { // the file stores it in another type
			numbers := make([]float64, len(piece))
			for i, x := range piece {
				numbers[i] = float64(x)
			}
			var err error
			if t, err = onnxgraph.FromFloat64s(v.DType(), s.Shape, numbers); err != nil {
				return fmt.Errorf("storing %q: %w", s.Name, err)
			}
		}
		if v.Constant() != nil {
			v.SetConstant(t)
		} else {
			m.Graph.MakeConstant(v, t) // it was computed from Constant nodes
		}
	}
	return nil
}
