package gradient_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
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

// TestSplitPartlyRead has a loss that depends on some parts of a Split: the gradient of the others is 0. Of a part whose size is not
// known, the error says so.
func TestSplitPartlyRead(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		reads []int
		want  []float64
	}{
		{[]int{0}, []float64{1, 0, 0, 0, 0}}, {[]int{1}, []float64{0, 1, 1, 0, 0}}, {[]int{0, 2}, []float64{1, 0, 0, 1, 1}},
	} {
		m := onnxgraph.New("case", 8, 18)
		x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(5))
		if err != nil {
			t.Fatal(err)
		}
		b := onnxgraph.NewBuilder(m.Graph)
		parts := b.Ops("Split", 3, []*onnxgraph.Value{x, b.Ints(1, 2, 2)})
		for i, v := range parts {
			v.SetType(onnxgraph.Float32, onnxgraph.Static(int64(min(i+1, 2))))
		}
		var sums []*onnxgraph.Value
		for _, i := range c.reads {
			sums = append(sums, typedOp(b, onnxgraph.Float32, []int64{1}, "ReduceSum", parts[i]))
		}
		loss := typedOp(b, onnxgraph.Float32, []int64{1}, "Sum", sums...)
		parts[1].SetType(onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}})
		if err := gradient.Check(loss, x); err == nil || !strings.Contains(err.Error(), "has no static shape") {
			t.Errorf("parts %d: of a part of unknown size, got error %v", c.reads, err)
		}
		parts[1].SetType(onnxgraph.Float32, onnxgraph.Static(2))
		gradients, err := gradient.Of(b, loss, x)
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.AddOutput(gradients.Of[x], onnxgraph.Float32, nil)
		m.Graph.Prune()
		result := orttest.Run(t, m, map[string]*onnxgraph.Tensor{"x": tensor(onnxgraph.Float32, []int64{5}, make([]float64, 5))})
		if got, err := result[gradients.Of[x].Name()].Float64s(); err != nil || !slices.Equal(got, c.want) {
			t.Errorf("parts %d: the gradient is %v (%v), want %v", c.reads, got, err, c.want)
		}
	}
}
