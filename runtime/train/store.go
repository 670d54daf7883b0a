package train

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// store puts the state of a step into the constants of the model that the step was built from. Banks that
// trained are recorded as they are now.
func store(m *onnxgraph.Model, step *trainstep.Step, states map[string]*onnxgraph.Tensor) error {
	blocks, err := transform.Blocks(m) // found before their banks change
	if err != nil {
		return err
	}
	for slot, segments := range map[string][]trainstep.Segment{
		trainstep.ParametersSlot: step.Parameters, trainstep.StatisticsSlot: step.Statistics,
	} {
		if err := unpack(m, segments, states[slot]); err != nil {
			return err
		}
	}
	for i := range blocks {
		if err := blocks[i].Rehash(m); err != nil {
			return err
		}
	}
	return nil
}

// unpack stores the pieces of a state vector.
func unpack(m *onnxgraph.Model, segments []trainstep.Segment, vector *onnxgraph.Tensor) error {
	if len(segments) == 0 {
		return nil
	}
	data, err := vector.Float32s()
	if err != nil {
		return err
	}
	for _, s := range segments {
		v := m.Graph.Value(s.Name)
		if v == nil {
			return fmt.Errorf("the model has no value %q", s.Name)
		}
		t := onnxgraph.NewTensor(s.Shape, data[s.Offset:s.Offset+s.Len()])
		if v.Constant() != nil {
			v.SetConstant(t)
		} else {
			m.Graph.MakeConstant(v, t) // it was computed from Constant nodes
		}
	}
	return nil
}
