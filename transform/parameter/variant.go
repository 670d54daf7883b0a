package parameter

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Variant says which parameters of a model train. These are the variants that the paper compares.
type Variant string

// The variants.
const (
	Baseline       Variant = "baseline"        // the source model, everything trains
	FrozenBaseline Variant = "frozen-baseline" // the source model, spatial filters drawn anew and fixed
	Frozen         Variant = "frozen"          // frozen blocks: banks are fixed
	Learned        Variant = "learned"         // the same blocks, and banks train, too
)

// Variants returns all variants.
func Variants() []Variant { return []Variant{Baseline, FrozenBaseline, Frozen, Learned} }

// HasBlocks reports whether the variant is made by converting the source model.
func (v Variant) HasBlocks() bool { return v == Frozen || v == Learned }

// Validate returns an error if there is no variant of that name.
func (v Variant) Validate() error {
	if !slices.Contains(Variants(), v) {
		return fmt.Errorf("choosing what trains: no variant %q: there are %v", v, Variants())
	}
	return nil
}

// Start gives a model, in place, the parameters with which training in the variant starts:
//
//   - Without scratch, they stay as they are. Only FrozenBaseline draws new filters for all spatial convolutions of the source
//     model.
//   - With scratch, weights, biases, normalizations and running statistics get the values of new layers (see Reinit). The banks
//     of frozen blocks do so only in the variant Learned; in Frozen they stay as Convert made them.
//
// Equal seeds give equal values. What a Selection freezes does not matter here. The errors are those of Reinit.
func (v Variant) Start(m *onnxgraph.Model, seed uint64, scratch bool) error {
	if !scratch && v != FrozenBaseline {
		return nil
	}
	_, err := Reinit(m, ReinitOptions{Seed: seed, Banks: v == Learned, SpatialOnly: !scratch})
	return err
}
