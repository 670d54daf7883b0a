package transform

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Merge turns every frozen block that is linear into one convolution, under the names that the source's node and weight
// had, and removes its record:
//
//	W = P·diag(scale)·R, bias = P·shift + b
//
// where scale and shift are those of the batch normalisation between, if there is one. It returns one row per block. An
// error means that the model differs from its records, or that the numbers of a block cannot be read.
func Merge(m *onnxgraph.Model) ([]Outcome, error) {
	blocks, err := Blocks(m)
	if err != nil {
		return nil, fmt.Errorf("merging frozen blocks: %w", err)
	}
	merged := make([]merger, len(blocks))
	cost := func(i int) int64 { return blocks[i].shape.workspace() }
	err = forEach(len(blocks), cost, func(i int) error {
		merged[i] = merger{Block: &blocks[i], outcome: outcomeOf(blocks[i].PointwiseConv)}
		if err := merged[i].compute(); err != nil {
			return fmt.Errorf("block %q: %w", blocks[i].Name, err)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("merging frozen blocks: %w", err)
	}
	var outcomes []Outcome
	for _, b := range merged {
		if b.outcome.Status == Merged {
			b.apply(m)
		}
		outcomes = append(outcomes, b.outcome)
	}
	return outcomes, nil
}

// merger is a block with the convolution that it is equal to.
type merger struct {
	*Block
	outcome Outcome
	weight  *onnxgraph.Tensor
	bias    *onnxgraph.Tensor // nil if the bias stays as it is
}

// compute makes the convolution's tensors, or notes why the block cannot be merged.
func (b *merger) compute() error {
	if reason := b.reasonAgainst(); reason != "" {
		b.outcome.skip(reason)
		return nil
	}
	p, err := b.Pointwise.Constant().Float64s()
	if err != nil {
		return err
	}
	bank, err := b.Bank.Constant().Float64s()
	if err != nil {
		return err
	}
	for _, norm := range b.Between {
		if reason := b.fold(norm, p); reason != "" {
			b.outcome.skip(fmt.Sprintf("%s cannot be merged: %s", norm, reason))
			return nil
		}
	}
	w, err := b.shape.combine(p, bank)
	if err != nil {
		return err
	}
	b.weight, err = onnxgraph.FromFloat64s(b.Bank.Constant().DType(), int64s(b.shape.sourceDims()...), w)
	b.outcome.Status = Merged
	return err
}

func (b *merger) reasonAgainst() string {
	if !b.Record.Between.isLinear() {
		return "a ReLU stands between its convolutions: they are not one linear map"
	}
	for _, n := range append([]*onnxgraph.Node{b.BankConv}, b.Between...) {
		if v := n.Output(0); len(v.Uses()) > 1 || v.IsOutput() {
			return fmt.Sprintf("%q, inside of it, is used elsewhere too", v.Name())
		}
	}
	return ""
}

// fold takes a batch normalisation into the pointwise weights p and the bias.
func (b *merger) fold(norm *onnxgraph.Node, p []float64) (reason string) {
	a, reason := readNorm(norm)
	maps := b.shape.mapsPerGroup()
	if reason == "" && len(a.scale) != maps*b.shape.groups {
		reason = fmt.Sprintf("malformed: it has %d channels, the bank %d filters", len(a.scale), maps*b.shape.groups)
	}
	if reason != "" {
		return reason
	}
	bias := make([]float64, b.shape.groups*b.shape.out)
	if old := b.PointwiseConv.Input(2); old != nil && a.hasShift() {
		if bias, reason = numbers(old); reason != "" {
			return "the bias " + reason
		}
	}
	for o := range bias {
		first := o / b.shape.out * maps
		for j := range maps {
			bias[o] += p[o*maps+j] * a.shift[first+j]
			p[o*maps+j] *= a.scale[first+j]
		}
	}
	if a.hasShift() {
		t, err := onnxgraph.FromFloat64s(b.Pointwise.Constant().DType(), int64s(len(bias)), bias)
		if err != nil {
			return err.Error()
		}
		b.bias = t
	}
	return ""
}

// apply puts the convolution into the model, in place of the 1×1 convolution.
func (b *merger) apply(m *onnxgraph.Model) {
	n, owner := b.PointwiseConv, b.Pointwise.Graph()
	inside := n.Input(0)
	n.RemoveAttr("kernel_shape", "group")
	n.SetAttr(slices.Clone(b.BankConv.Attributes())...)
	n.SetAttr(onnxgraph.Int("group", int64(b.shape.groups)))
	n.SetInput(0, b.BankConv.Input(0))
	n.SetInput(1, nil)
	onnxgraph.RemoveUnused(inside, b.Pointwise)
	n.SetInput(1, owner.AddConstant(b.Record.SourceWeight, b.weight))
	if b.bias != nil {
		setInput(n, 2, b.bias, b.Name+".bias")
	}
	forget(m, b.Name)
}
