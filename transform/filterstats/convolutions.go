package filterstats

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// convolution is a node that convolves, or a frozen block.
type convolution struct {
	name, graph string
	expansion   int              // of a block, else 0
	root        *onnxgraph.Value // the constant that the filters come from
	weight      *onnxgraph.Tensor
	reason      string // why it has no filters to measure, "" if it has
}

// convolutions returns all that convolves in a model, of which it merges the blocks.
func convolutions(m *onnxgraph.Model) ([]convolution, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, err
	}
	merged, err := transform.Merge(m)
	if err != nil {
		return nil, err
	}
	isBank := map[*onnxgraph.Node]bool{}
	byNode := map[*onnxgraph.Node]int{} // places in blocks
	for i, b := range blocks {
		isBank[b.BankConv], byNode[b.PointwiseConv] = true, i
	}
	var list []convolution
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if isBank[n] || !convolves(n) {
				continue
			}
			c := convolution{name: n.Label(), graph: g.Name()}
			i, isBlock := byNode[n]
			if isBlock {
				c.name, c.expansion = blocks[i].Name, blocks[i].Record.Expansion
			}
			if isBlock && merged[i].Status == transform.Skipped {
				c.reason = "the block has no combined filters: " + merged[i].Reason
			} else {
				c.read(n)
			}
			list = append(list, c)
		}
	}
	return list, nil
}

// convolves reports whether n is a convolution of any kind. Those in a function are nodes of their own.
func convolves(n *onnxgraph.Node) bool {
	return strings.Contains(n.OpType(), "Conv") && !slices.ContainsFunc(n.Graph().Model().Functions, func(f *onnxgraph.Function) bool {
		return f.Name() == n.OpType() && f.Domain() == n.Domain()
	})
}

// read finds the filters of a node.
func (c *convolution) read(n *onnxgraph.Node) {
	if !n.Is("Conv") {
		c.reason = "only Conv is measured, and this is " + n.OpType()
		return
	}
	if c.root, c.weight, c.reason = weightOf(n.Input(1)); c.reason != "" {
		c.reason = "its weight " + c.reason
		return
	}
	dims := c.weight.Dims()
	switch {
	case !c.weight.DType().IsFloat():
		c.reason = fmt.Sprintf("its weight is of type %v, not floating-point", c.weight.DType())
	case len(dims) < 3 || slices.Min(dims) < 1:
		c.reason = fmt.Sprintf("malformed: its weight has dims %v, not filters × channels × kernel", dims)
	case slices.Max(dims[2:]) == 1:
		c.reason = "a kernel of 1 is not spatial"
	}
}

// filters returns the filters of a weight of filters × channels × kernel.
func filters(weight *onnxgraph.Tensor) (Filters, error) {
	dims := weight.Dims()
	f := Filters{Channels: int(dims[1])}
	for _, k := range dims[2:] {
		f.Kernel = append(f.Kernel, int(k))
	}
	var err error
	f.Weights, err = weight.Float64s()
	return f, err
}

// isFinite reports whether no weight is NaN or infinite.
func (f Filters) isFinite() bool {
	return !slices.ContainsFunc(f.Weights, func(w float64) bool { return math.IsNaN(w) || math.IsInf(w, 0) })
}
