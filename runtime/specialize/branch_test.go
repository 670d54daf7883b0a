package specialize_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// TestBranches fits models whose nodes are in the branches of an If, with weights inside and outside: where the
// condition comes from a shape, the branch takes the If's place; where it comes from the data, the If stays.
func TestBranches(t *testing.T) {
	orttest.Init(t)
	c := convcases.Cases[1] // with a bias
	for _, place := range convcases.Places[:2] {
		for _, known := range []bool{true, false} {
			m := convcases.Nest(c.Model(), place)
			i := slices.IndexFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("If") })
			if known {
				size := m.Graph.AddNode("Size", []*onnxgraph.Value{m.Graph.Inputs()[0]}).Output(0)
				condition := m.Graph.AddNode("Cast", []*onnxgraph.Value{size}, onnxgraph.Int("to", int64(onnxgraph.Bool)))
				m.Graph.Nodes()[i].SetInput(0, condition.Output(0))
			}
			fitted, err := specialize.Model(m, c.Input)
			if err != nil {
				t.Fatal(err)
			}
			want := run(t, m, c.Data())
			for k, v := range run(t, fitted, c.Data()) {
				if !(math.Abs(float64(v-want[k])) < 1e-5) {
					t.Fatalf("%s: output %d is %g, by the source %g", place.Name, k, v, want[k])
				}
			}
			ifs, typed := 0, true
			for _, n := range fitted.Graph.Nodes() {
				if n.Is("If") {
					ifs++
				}
				_, ok := n.Output(0).StaticShape()
				typed = typed && ok
			}
			if !typed || (ifs == 0) != known {
				t.Errorf("%s: %d nodes If are left, all values typed: %v", place.Name, ifs, typed)
			}
		}
	}
}
