package gradient_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// TestEachInputAlone checks, for each operator of several inputs, that the gradient of one is the same where no other is asked
// for. TestRules asks for all.
func TestEachInputAlone(t *testing.T) {
	orttest.Init(t)
	checked := map[string]bool{}
	for _, c := range gradientCases() {
		if checked[c.op] {
			continue
		}
		feeds, _ := c.draw(onnxgraph.Float32)
		if len(feeds) < 2 {
			continue
		}
		checked[c.op] = true
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			_, together := c.compute(t, ort.CPU)
			for name := range feeds {
				c.alone = name
				_, got := c.compute(t, ort.CPU)
				if want := together["d_"+name]; len(got) != 1 || relativeDistance(got["d_"+name], want) > 1e-6 {
					t.Errorf("by %s alone: got %v, want %v", name, got, want)
				}
			}
		})
	}
}

// TestConvolutions checks what is told of a convolution: which gradients it has, of those that were wanted, and of what.
func TestConvolutions(t *testing.T) {
	for _, by := range []string{"x", "w", "xw", "b"} {
		m := onnxgraph.New("case", 8, 18)
		var inputs, wanted []*onnxgraph.Value
		for i, shape := range [][]int64{{1, 2, 4, 4}, {3, 2, 3, 3}, {3}} {
			name := "xwb"[i : i+1]
			v, err := m.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(shape...))
			if err != nil {
				t.Fatal(err)
			}
			inputs = append(inputs, v)
			if strings.Contains(by, name) {
				wanted = append(wanted, v)
			}
		}
		b := onnxgraph.NewBuilder(m.Graph)
		y := typedOp(b, onnxgraph.Float32, []int64{1, 3, 2, 2}, "Conv", inputs...)
		squares := typedOp(b, onnxgraph.Float32, []int64{1, 3, 2, 2}, "Mul", y, y)
		gradients, err := gradient.Of(b, typedOp(b, onnxgraph.Float32, []int64{1, 1, 1, 1}, "ReduceSum", squares), wanted...)
		if err != nil || len(gradients.Convolutions) != 1 {
			t.Fatalf("by %s: %v, error %v", by, gradients, err)
		}
		c, of := gradients.Convolutions[0], gradients.Of
		if c.Node != y.Producer() || c.X != inputs[0] || c.W != inputs[1] || c.DX != of[inputs[0]] || c.DW != of[inputs[1]] {
			t.Errorf("by %s: told %+v, gradients are %v", by, c, of)
		}
		if shape, _ := c.DY.StaticShape(); !slices.Equal(shape, []int64{1, 3, 2, 2}) {
			t.Errorf("by %s: the gradient of the output has shape %v", by, shape)
		}
	}
}
