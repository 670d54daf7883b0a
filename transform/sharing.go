package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// origin is what an input reads: the constant behind it, and the tensor that follows from that. The zero value is an
// input that is absent, or no constant.
type origin struct {
	root   *onnxgraph.Value
	tensor *onnxgraph.Tensor
}

// originOf returns what comes in by v, the zero value if that is no constant.
func originOf(v *onnxgraph.Value) origin {
	root, t, _ := resolve(v)
	return origin{root, t}
}

// equals reports whether two inputs read one constant, and the same numbers of it in the same order.
func (r origin) equals(other origin) bool {
	if r.root != other.root || r.tensor == other.tensor {
		return r.root == other.root
	}
	if r.tensor.DType() != other.tensor.DType() || !slices.Equal(r.tensor.Dims(), other.tensor.Dims()) {
		return false
	}
	a, err := hash(r.tensor)
	if err != nil {
		return false
	}
	b, err := hash(other.tensor)
	return err == nil && a == b
}

// shareBlocks makes one block of convolutions that have one weight: they have the first one's bank and 1×1 weight. Each
// keeps its own strides, dilations, pads and bias.
func shareBlocks(candidates []*candidate) {
	blocks := map[*onnxgraph.Value][]*candidate{} // the first places, by weight
	for _, c := range candidates {
		if c.row.Status == Skipped {
			continue
		}
		c.first = c
		weight := c.conv.weight
		if i := slices.IndexFunc(blocks[weight], c.fits); i >= 0 {
			c.first = blocks[weight][i]
			c.row.SharedWith = c.first.row.Node
		} else {
			blocks[weight] = append(blocks[weight], c)
		}
		c.first.places = append(c.first.places, c)
	}
	byNode := map[*onnxgraph.Node]*candidate{}
	for _, c := range candidates {
		if c.conv.node != nil {
			byNode[c.conv.node] = c
		}
	}
	for _, c := range candidates {
		if c.first == c {
			c.row.Untied = c.untied(byNode)
		}
	}
}

// fits reports whether c can be one more place of a block. Of filters of one kernel, the block's has one extent, too.
func (c *candidate) fits(first *candidate) bool {
	return first.groups == c.groups &&
		origin{first.conv.weight, first.conv.filters}.equals(origin{c.conv.weight, c.conv.filters})
}

// untied says which nodes read the block's weight too, and keep it or make another block of it.
func (c *candidate) untied(byNode map[*onnxgraph.Node]*candidate) []string {
	var list []string
	for _, n := range readersOf(c.conv.weight) {
		other := byNode[n]
		switch {
		case other == nil:
			list = append(list, n.String())
		case other.first == c:
		case other.row.Status == Skipped:
			list = append(list, fmt.Sprintf("%q", other.row.Node))
		case other.groups != c.groups:
			list = append(list, fmt.Sprintf("%q, which has %d groups instead of %d", other.row.Node, other.groups, c.groups))
		default:
			list = append(list, fmt.Sprintf("%q, which reads it in another form", other.row.Node))
		}
	}
	return list
}

// readersOf returns the nodes that read a constant, directly or through nodes that only rearrange it.
func readersOf(v *onnxgraph.Value) []*onnxgraph.Node {
	var list []*onnxgraph.Node
	for _, u := range v.Uses() {
		if _, _, reason := resolve(u.Node.Output(0)); reason != "" {
			list = append(list, u.Node)
			continue
		}
		for _, n := range readersOf(u.Node.Output(0)) {
			if !slices.Contains(list, n) {
				list = append(list, n)
			}
		}
	}
	return list
}

// counter counts the numbers of each constant once, however many convolutions read it.
type counter map[*onnxgraph.Value]bool

// once returns the number of numbers behind v, 0 if they were counted before or if there is no v.
func (seen counter) once(v *onnxgraph.Value, count int64) int64 {
	if v == nil {
		return 0
	}
	if root, _, reason := resolve(v); reason == "" {
		v = root
	}
	if seen[v] {
		return 0
	}
	seen[v] = true
	return count
}

// fillCosts completes the rows with what each convolution holds and computes, before and after.
func fillCosts(candidates []*candidate, o Options) {
	before, after := counter{}, counter{}
	for _, c := range candidates {
		if c.conv.out == 0 {
			continue // its weight is not known
		}
		weight, bias, out := c.conv.node.Input(1), c.conv.node.Input(2), int64(c.conv.out)
		numbers, places := c.conv.filters.Len(), o.positions(c.conv.node)
		cost := func(seen counter) Cost {
			held := seen.once(weight, numbers)
			if c.isBank {
				return Cost{Bank: held, MACs: numbers * places}
			}
			return Cost{Trainable: held + seen.once(bias, out), MACs: numbers * places}
		}
		c.row.Before = cost(before)
		if c.row.Status == Skipped {
			c.row.After = cost(after)
			continue
		}
		if c.row.After = (Cost{}); c.first == c {
			c.row.After = c.shape.cost(o.Between)
		}
		c.row.After.Trainable += after.once(bias, out)
		c.row.After.MACs = c.macs(places)
	}
}

// Sharing says in words with which convolution the row's convolution shares its block, and with which nodes it no longer shares
// its weight; "" if there are none.
func (r *Conversion) Sharing() string {
	var words []string
	if r.SharedWith != "" {
		words = append(words, fmt.Sprintf("same block as %q, whose weight it has", r.SharedWith))
	}
	if r.Untied != nil {
		words = append(words, "no longer shares its weight with "+strings.Join(r.Untied, "; "))
	}
	return strings.Join(words, "; ")
}
