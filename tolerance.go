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

// UsualTolerance returns by how much the outputs of a model and of an equivalent one may differ, relative to the largest value. It
// depends on the coarsest type among the model's parameters.
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
