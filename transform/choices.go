package transform

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/budget"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Choice is the cost of a block with one expansion, and the error of a projection onto its bank.
type Choice struct {
	Expansion int     `json:"expansion"`
	After     Cost    `json:"after"`          // of all convolutions that share the block
	Error     float64 `json:"relative_error"` // see Conversion.Error
}

// Choices lists the choices for one convolution.
type Choices struct {
	Node    string   `json:"node"`    // the name of the block: see Block.Name
	Choices []Choice `json:"choices"` // by expansion: the powers of two, then the one whose bank spans all filters
}

// PlanChoices returns how error and size depend on the expansion, for every convolution that Convert would rewrite by projection.
// If several share a block, it lists only the first. It changes nothing.
func PlanChoices(m *onnxgraph.Model, o Options) ([]Choices, error) {
	list, err := planChoices(m, o.WithDefaults())
	if err != nil {
		return nil, fmt.Errorf("planning expansions: %w", err)
	}
	return list, nil
}

func planChoices(m *onnxgraph.Model, o Options) ([]Choices, error) {
	if o.Pointwise != Project {
		return nil, fmt.Errorf("pointwise %s: the plan shows the errors of projected filters: choose pointwise project", o.Pointwise)
	}
	candidates, err := prepare(m, o)
	if err != nil {
		return nil, err
	}
	candidates = firsts(candidates)
	list := make([]Choices, len(candidates))
	cost := func(i int) int64 {
		largest := candidates[i].shape
		largest.expansion = largest.spanning()
		return largest.workspace()
	}
	err = budget.Each(len(candidates), cost, o.counting(len(candidates), func(i int) (err error) {
		if list[i], err = candidates[i].choices(o); err != nil {
			return fmt.Errorf("convolution %q: %w", candidates[i].row.Node, err)
		}
		return nil
	}))
	return list, err
}

// expansions returns the powers of two below the expansion whose bank spans all filters, and that expansion.
func (s shape) expansions() []int {
	var list []int
	for e := 1; e < s.spanning(); e *= 2 {
		list = append(list, e)
	}
	return append(list, s.spanning())
}

// choices returns the cost and the error of each expansion.
func (c *candidate) choices(o Options) (Choices, error) {
	list := Choices{Node: c.row.Node}
	w, err := c.source()
	if err != nil {
		return list, err
	}
	var known []float64 // errors for expansions from 1 on
	if c.isNested() {
		known, _ = c.growth(o, w, c.spanning()) // if the bank has no such list, each expansion is projected by itself
	}
	for _, e := range c.expansions() {
		choice := Choice{Expansion: e, After: c.together(e, o)}
		if e <= len(known) {
			choice.Error = known[e-1]
		} else {
			block := *c
			block.expansion = e
			if err := block.makeBest(o, leastSquares{filters: w}); err != nil {
				return list, err
			}
			choice.Error = *block.row.Error
		}
		list.Choices = append(list.Choices, choice)
	}
	return list, nil
}

// together returns the total cost of the convolutions that share a block with the given expansion.
func (c *candidate) together(expansion int, o Options) Cost {
	s := c.shape
	s.expansion = expansion
	cost, isKnown, biases := s.cost(o.Between), true, counter{}
	for _, place := range c.places {
		cost.Trainable += biases.once(place.conv.Node.Input(2), int64(place.conv.Out))
		macs := s.macs(o.positions(place.conv.Node))
		cost.MACs += macs
		isKnown = isKnown && macs > 0
	}
	if !isKnown {
		cost.MACs = 0
	}
	return cost
}
