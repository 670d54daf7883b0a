package filterstats

import (
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// convolution is a node that convolves, or a frozen block.
type convolution struct {
	name, graph string
	expansion   int                 // of a block, 0 for a plain convolution
	filters     weights.Source      // filters × channels × kernel
	combined    []*onnxgraph.Tensor // the constants from which the filters of a block are computed
	reason      string              // why there are no filters to measure, "" if there are
}

// convolutions merges the frozen blocks of a model, and returns all nodes that convolve then.
func convolutions(m *onnxgraph.Model) ([]convolution, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, err
	}
	combined := make([][]*onnxgraph.Tensor, len(blocks))
	for i, b := range blocks {
		combined[i] = constants(b)
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
			isOther := weights.OtherConvolution(n) != ""
			if isBank[n] || !isOther && !n.Is("Conv") {
				continue
			}
			c := convolution{name: n.Label(), graph: g.Name()}
			i, isBlock := byNode[n]
			if isBlock {
				c.name, c.expansion, c.combined = blocks[i].Name, blocks[i].Record.Expansion, combined[i]
			}
			switch {
			case isOther:
				c.reason = n.OpType() + " is not measured, only Conv is"
			case isBlock && merged[i].Status == transform.Skipped:
				c.reason = "the block has no combined filters: " + merged[i].Reason
			default:
				c.read(n)
			}
			list = append(list, c)
		}
	}
	return list, nil
}

// read finds the filters of a Conv.
func (c *convolution) read(n *onnxgraph.Node) {
	conv, reason := weights.ReadConv(n)
	c.filters, c.reason = weights.Source{Root: conv.Weight, Tensor: conv.Filters}, reason
	if w := n.Input(1); w != nil && w.Producer() != nil && w.Producer().Is("DequantizeLinear") {
		c.reason = "its weight is quantized: analyze the floating-point model that was quantized"
	}
}

// constants returns the constants of a block.
func constants(b transform.Block) []*onnxgraph.Tensor {
	list := []*onnxgraph.Tensor{b.Bank.Constant(), b.Pointwise.Constant()}
	for _, n := range b.Between {
		for _, v := range n.Inputs() {
			if v != nil && v.Constant() != nil {
				list = append(list, v.Constant())
			}
		}
	}
	return list
}

// load reads the filters, or computes those of a block. If their weights, or the constants from which they are computed, hold NaN
// or infinity, load returns no error, and sets the reason why they are not measured.
func (c *convolution) load() (Filters, error) {
	f, err := filters(c.filters.Tensor)
	finite := isFinite(f.Weights)
	if err != nil {
		for _, t := range c.combined {
			data, fault := t.Float64s()
			finite = finite && (fault != nil || isFinite(data))
		}
	}
	if !finite {
		c.reason = "its weights hold NaN or infinity"
		return f, nil
	}
	return f, err
}

// filters reads the filters from a weight of dims filters × channels × kernel.
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

// isFinite reports whether no number is NaN or infinite.
func isFinite(data []float64) bool {
	return !slices.ContainsFunc(data, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}
