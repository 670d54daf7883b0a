package transform

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// shareBlocks makes one block for convolutions that share a weight: all use the bank and the 1×1 weight of the first. Each keeps
// its own strides, dilations, pads and bias.
func shareBlocks(candidates []*candidate) {
	blocks := map[*onnxgraph.Value][]*candidate{} // the first places, by weight
	for _, c := range candidates {
		if c.row.Status == Skipped {
			continue
		}
		c.first = c
		weight := c.conv.Weight
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
		if c.conv.Node != nil {
			byNode[c.conv.Node] = c
		}
	}
	for _, c := range candidates {
		if c.first == c {
			c.row.Untied = c.untied(byNode)
		}
	}
}

// fits reports whether c can share the block of first: it must have as many groups, and read the same filters.
func (c *candidate) fits(first *candidate) bool {
	return first.groups == c.groups &&
		source(first.conv).Equals(source(c.conv))
}

func source(c weights.Convolution) weights.Source {
	return weights.Source{Root: c.Weight, Tensor: c.Filters}
}

// untied lists other nodes that read the block's weight, but keep it or become another block.
func (c *candidate) untied(byNode map[*onnxgraph.Node]*candidate) []string {
	var list []string
	for _, n := range weights.ReadersOf(c.conv.Weight) {
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

// counter counts the elements of each constant once, even if several convolutions read it.
type counter map[*onnxgraph.Value]bool

// once returns count the first time it gets v, and 0 after that or if v is nil.
func (seen counter) once(v *onnxgraph.Value, count int64) int64 {
	if v == nil {
		return 0
	}
	if root, _, reason := weights.Resolve(v); reason == "" {
		v = root
	}
	if seen[v] {
		return 0
	}
	seen[v] = true
	return count
}

// fillCosts fills in the parameters and operations of each convolution, before and after.
func fillCosts(candidates []*candidate, o Options) {
	before, after := counter{}, counter{}
	for _, c := range candidates {
		if c.conv.Out == 0 {
			continue // its weight is not known
		}
		weight, bias, out := c.conv.Node.Input(1), c.conv.Node.Input(2), int64(c.conv.Out)
		numbers, places := c.conv.Filters.Len(), o.positions(c.conv.Node)
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

// Sharing says in words which convolution shares the block, and which nodes no longer share the weight; "" if there are none.
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
