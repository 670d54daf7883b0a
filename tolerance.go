package rcfreeze

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// tolerances says how much the outputs of equivalent models may differ, by the type of their parameters: about ten roundings of
// the largest value, and for wider types what users expect.
var tolerances = map[onnxgraph.DType]float64{
	onnxgraph.Float64: 1e-4, onnxgraph.Float32: 1e-4, onnxgraph.Float16: 1e-2, onnxgraph.BFloat16: 1e-1,
}

// UsualTolerance returns by how much an output of a model and of an equivalent one may differ, divided by the largest absolute
// value of the first model's output: 1e-4 if the model's parameters are float32 or float64, 0.01 if some are float16, and 0.1 if
// some are bfloat16.
func UsualTolerance(m *Model) (float64, error) {
	parameters, err := parameter.List(m)
	if err != nil {
		return 0, err
	}
	most := tolerances[onnxgraph.Float32]
	for _, p := range parameters {
		if p.Role != parameter.RoleConstant {
			most = max(most, tolerances[p.Value.DType()])
		}
	}
	return most, nil
}
