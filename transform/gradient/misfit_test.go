package gradient_test

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// TestMisfits has rules that return what does not fit the inputs of their node: each is named, and no wrong gradient comes out.
func TestMisfits(t *testing.T) {
	type values = []*onnxgraph.Value
	usual := gradient.Rules["Sub"]
	defer func() { gradient.Rules["Sub"] = usual }()
	var small, large *onnxgraph.Value
	for reason, rule := range map[string]gradient.Rule{
		"returns a gradient for input 2, which is absent":     {Backward: func(*gradient.Call) values { return values{small, large, small} }},
		"returns the shape [2 3] for input 0, which needs []": {Backward: func(*gradient.Call) values { return values{large, nil} }},
		"returns the shape [] for input 1, which needs [2 3]": {Backward: func(*gradient.Call) values { return values{nil, small} }},
		"returns the shape [] for input 0, which needs [2 3]": {Backward: func(*gradient.Call) values { return values{small, large} }, Broadcasts: true},
	} {
		m := onnxgraph.New("net", 8, 18)
		g := m.Graph
		small = g.AddConstant("small", onnxgraph.NewScalar(float32(1)))
		large = g.AddConstant("large", onnxgraph.NewTensor([]int64{2, 3}, make([]float32, 6)))
		y := g.AddNode("Sub", values{small, large}).Output(0)
		y.SetType(onnxgraph.Float32, onnxgraph.Static(2, 3))
		loss := g.AddNode("ReduceSum", values{y}, onnxgraph.Int("keepdims", 0)).Output(0)
		loss.SetType(onnxgraph.Float32, onnxgraph.Static())
		gradient.Rules["Sub"] = rule
		_, err := gradient.Of(onnxgraph.NewBuilder(g), loss, small, large)
		if err == nil || !strings.Contains(err.Error(), "the gradient rule of Sub "+reason) {
			t.Errorf("got %v, want %q", err, reason)
		}
	}
}
