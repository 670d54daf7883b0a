package transform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Merge turns every frozen block that is linear into one convolution, under the names that the source's node and weight had, and
// removes its record:
//
//	W = P·diag(scale)·R, bias = P·shift + b
//
// scale and shift come from the batch normalization between the convolutions, and b is the bias of the 1×1 convolution; each is
// left out if it is absent. Blocks that share a bank and a 1×1 weight, and have the same scale, become convolutions that share
// their weight. Merge returns one row per block. It skips blocks with a ReLU, with a normalization in training mode, or with a
// value inside that is also used elsewhere. An error means that the model differs from its records, or that the numbers of a
// block cannot be read.
func Merge(m *onnxgraph.Model) ([]Outcome, error) {
	blocks, err := Blocks(m)
	if err != nil {
		return nil, fmt.Errorf("merging frozen blocks: %w", err)
	}
	merged := make([]merger, len(blocks))
	var faults []error
	for i := range blocks {
		merged[i] = merger{Block: &blocks[i], outcome: OutcomeOf(blocks[i].PointwiseConv)}
		if err := merged[i].compute(); err != nil {
			faults = append(faults, fmt.Errorf("block %q: %w", blocks[i].Name, err))
		}
	}
	if len(faults) > 0 {
		return nil, fmt.Errorf("merging frozen blocks: %w", errors.Join(faults...))
	}
	var outcomes []Outcome
	var done []string
	byBank := map[*onnxgraph.Value][]*merger{}
	for i := range merged {
		b := &merged[i]
		if b.outcome.Status == Merged {
			like := b
			if k := slices.IndexFunc(byBank[b.Bank], b.hasWeightOf); k >= 0 {
				like = byBank[b.Bank][k]
			}
			b.apply(m, like)
			byBank[b.Bank] = append(byBank[b.Bank], b)
			done = append(done, b.Name)
		}
		outcomes = append(outcomes, b.outcome)
	}
	forget(m, done)
	return outcomes, nil
}

// merger is a block, and the convolution that computes the same.
type merger struct {
	*Block
	outcome Outcome
	norms   []weights.ChannelMap
	weight  *onnxgraph.Tensor
	oldBias weights.Source
	bias    *onnxgraph.Tensor // nil if the bias stays as it is
}

// hasWeightOf reports whether b and other, which have the same bank, become convolutions with the same weight. If they also have
// the same 1×1 weight, they have the same number of groups.
func (b *merger) hasWeightOf(other *merger) bool {
	return b.Pointwise == other.Pointwise &&
		slices.EqualFunc(b.norms, other.norms, func(x, y weights.ChannelMap) bool { return slices.Equal(x.Scale, y.Scale) })
}

// hasBiasOf reports the same for the bias, if the weights are the same.
func (b *merger) hasBiasOf(other *merger) bool {
	return b.oldBias.Equals(other.oldBias) &&
		slices.EqualFunc(b.norms, other.norms, func(x, y weights.ChannelMap) bool { return slices.Equal(x.Shift, y.Shift) })
}

// compute makes the convolution's tensors, or records why the block cannot be merged. The weight is computed only when the model
// is saved, because the weights of a large model may not fit into memory together.
func (b *merger) compute() error {
	if reason := b.reasonAgainst(); reason != "" {
		b.outcome.Skip(reason)
		return nil
	}
	b.oldBias = weights.SourceOf(b.PointwiseConv.Input(2))
	for _, n := range b.Between {
		a, reason, err := b.fold(n)
		if err != nil {
			return err
		}
		if reason != "" {
			b.outcome.Skip(fmt.Sprintf("%s cannot be merged: %s", n, reason))
			return nil
		}
		b.norms = append(b.norms, a)
	}
	name, s, bank, pointwise, norms := b.Name, b.shape, b.Bank.Constant(), b.Pointwise.Constant(), b.norms
	dims := weights.Int64s(s.sourceDims()...)
	b.weight = onnxgraph.NewLazyTensor(bank.DType(), dims, func() (*onnxgraph.Tensor, error) {
		w, err := s.merge(pointwise, norms, bank)
		if err != nil {
			return nil, fmt.Errorf("merging block %q: %w", name, err)
		}
		return onnxgraph.FromFloat64s(bank.DType(), dims, w)
	})
	b.outcome.Status = Merged
	return nil
}

// merge returns W = P·diag(scale)·R.
func (s shape) merge(pointwise *onnxgraph.Tensor, norms []weights.ChannelMap, bank *onnxgraph.Tensor) ([]float64, error) {
	p, err := pointwise.Float64s()
	if err != nil {
		return nil, err
	}
	r, err := bank.Float64s()
	if err != nil {
		return nil, err
	}
	for _, a := range norms {
		s.eachWeight(func(i, _, filter int) { p[i] *= a.Scale[filter] })
	}
	return s.combine(p, r)
}

// eachWeight calls f with the index of each pointwise weight, the output that it belongs to and the bank filter that it
// mixes.
func (s shape) eachWeight(f func(i, out, filter int)) {
	maps := s.mapsPerGroup()
	for o := range s.groups * s.out {
		for j := range maps {
			f(o*maps+j, o, o/s.out*maps+j)
		}
	}
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

// fold returns what a batch normalization between does to each map, and takes its shift into the bias.
func (b *merger) fold(norm *onnxgraph.Node) (a weights.ChannelMap, reason string, err error) {
	a, reason = weights.ReadNorm(norm)
	if channels := b.shape.mapsPerGroup() * b.shape.groups; reason == "" && len(a.Scale) != channels {
		reason = fmt.Sprintf("malformed: it has %d channels, the bank %d filters", len(a.Scale), channels)
	}
	if reason != "" || !a.HasShift() {
		return a, reason, nil
	}
	bias := make([]float64, b.shape.groups*b.shape.out)
	if old := b.PointwiseConv.Input(2); old != nil {
		if bias, reason = weights.Numbers(old); reason != "" {
			return a, "the bias " + reason, nil
		}
		if want := b.shape.groups * b.shape.out; len(bias) != want {
			return a, fmt.Sprintf("malformed: the bias has %d numbers for %d filters", len(bias), want), nil
		}
	}
	p, err := b.Pointwise.Constant().Float64s()
	if err != nil {
		return a, "", err
	}
	b.shape.eachWeight(func(i, out, filter int) { bias[out] += p[i] * a.Shift[filter] })
	b.bias = weights.Floats(b.Pointwise.Constant().DType(), weights.Int64s(len(bias)), bias)
	return a, "", nil
}

// apply replaces the 1×1 convolution by the merged one. If like is not b itself, it is an equal block that was merged before;
// apply then reuses its weight and, if that is the same, its bias.
func (b *merger) apply(m *onnxgraph.Model, like *merger) {
	n, owner := b.PointwiseConv, b.Pointwise.Graph()
	inside := n.Input(0)
	n.RemoveAttr("kernel_shape", "group")
	n.SetAttr(slices.Clone(b.BankConv.Attributes())...)
	n.SetAttr(onnxgraph.Int("group", int64(b.shape.groups)))
	n.SetInput(0, b.BankConv.Input(0))
	n.SetInput(1, nil)
	onnxgraph.RemoveUnused(inside, b.Pointwise)
	if like == b {
		n.SetInput(1, owner.AddConstant(b.Record.SourceWeight, b.weight.DescribedAs(b.Pointwise.Constant())))
	} else {
		n.SetInput(1, like.PointwiseConv.Input(1))
	}
	if old := n.Input(2); b.bias != nil && like != b && b.hasBiasOf(like) {
		n.SetInput(2, like.PointwiseConv.Input(2))
		onnxgraph.RemoveUnused(old)
	} else if b.bias != nil {
		weights.SetInput(n, 2, b.bias, b.Name+".bias")
	}
}
