package specialize_test

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
)

// TestPeak compares the peak of small graphs on an image of 1000 numbers, 4000 bytes, with what a count by hand gives.
func TestPeak(t *testing.T) {
	const image = 4000
	for _, c := range []struct {
		name  string
		build func(n *net) *onnxgraph.Value
		want  int64
	}{
		{"a chain holds two values at a time", func(n *net) *onnxgraph.Value {
			return n.op("Exp", values{n.op("Exp", values{n.op("Exp", values{n.op("Exp", values{n.image()})})})})
		}, 2 * image},
		{"what nothing else reads is overwritten", func(n *net) *onnxgraph.Value {
			return n.op("Exp", values{n.op("Neg", values{n.op("Neg", values{n.op("Exp", values{n.image()})})})})
		}, image},
		{"what is read later stays", func(n *net) *onnxgraph.Value {
			a := n.op("Exp", values{n.image()})
			return n.op("Exp", values{n.op("Add", values{n.op("Neg", values{a}), a})})
		}, 2 * image},
		{"a larger value is no place for a smaller one, nor the image for any", func(n *net) *onnxgraph.Value {
			a := n.op("Mul", values{n.image(), n.op("Neg", values{n.op("ReduceMax", values{n.image()})})})
			return n.op("Exp", values{a})
		}, image + 4},
		{"another shape takes nothing, and keeps what it is of", func(n *net) *onnxgraph.Value {
			a := n.op("Reshape", values{n.op("Exp", values{n.image()}), n.ints(10, 100)})
			b := n.op("Exp", values{n.op("Exp", values{a})})
			return n.op("Exp", values{n.op("Sub", values{b, n.op("Neg", values{a})})})
		}, 3 * image},
		{"branches run one after the other", func(n *net) *onnxgraph.Value {
			var a, b values // of the two branches in turn, as they stand in the list
			for range 2 {
				a = append(a, n.op("Exp", values{n.image()}))
			}
			for _, v := range a {
				b = append(b, n.op("Tile", values{v, n.ints(10, 1, 1, 1)}))
			}
			return n.op("Exp", values{n.op("Add", values{n.op("ReduceMax", values{b[0]}), n.op("ReduceMax", values{b[1]})})})
		}, 11*image + 4},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := newNet(t, 8, onnxgraph.Static(1, 10, 10, 10)...)
			m := n.output(c.build(n))
			got, err := specialize.Peak(m)
			if err != nil {
				t.Fatal(err)
			}
			if got != c.want {
				t.Errorf("%d bytes, want %d", got, c.want)
			}
		})
	}
}
