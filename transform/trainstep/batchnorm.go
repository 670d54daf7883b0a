package trainstep

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// trainingNorms puts every BatchNormalization into training mode, and returns them.
func (b *builder) trainingNorms() []*onnxgraph.Node {
	var norms []*onnxgraph.Node
	for _, n := range b.Graph.Sorted() {
		if n.Is("BatchNormalization") {
			if b.FreezeStatistics {
				n.RemoveAttr("training_mode")
				continue
			}
			n.SetAttr(onnxgraph.Int("training_mode", 1))
			norms = append(norms, n)
		}
	}
	return norms
}

// normStatistics are the running statistics of BatchNormalization nodes, mean and variance of each in turn, and
// what was measured of a batch in their place, of the same lengths.
type normStatistics struct {
	running, batch []*onnxgraph.Value
}

// measured measures what each of norms reads by a function that emits mean and biased variance, in any shape. As
// in PyTorch, the variance that goes into the running one is unbiased, M/(M-1) times that of the batch, for M
// elements per channel. The error lists all norms whose statistics are no constants of their own, and those that
// read a single element per channel.
func (b *builder) measured(norms []*onnxgraph.Node, measure func(*onnxgraph.Node) (mean, variance *onnxgraph.Value)) (normStatistics, error) {
	var s normStatistics
	var faults []error
	for _, n := range norms {
		shape, _ := n.Input(0).StaticShape()
		elements := float64(Segment{Shape: shape}.Len() / shape[1])
		if elements < 2 {
			faults = append(faults, fmt.Errorf("node %s reads one number per channel, which has no variance: take batches of 2 images or more", n))
		}
		for _, v := range []*onnxgraph.Value{n.Input(3), n.Input(4)} {
			if v.Constant() == nil || slices.Contains(s.running, v) {
				faults = append(faults, fmt.Errorf("node %s: running statistics %q are computed, or shared with another node: train with frozen statistics", n, v.Name()))
			}
			s.running = append(s.running, v)
		}
		mean, variance := measure(n)
		for _, v := range []*onnxgraph.Value{mean, b.scale(variance, elements/(elements-1))} {
			s.batch = append(s.batch, b.Op("Reshape", []*onnxgraph.Value{v, b.Ints(shape[1])}))
		}
	}
	return s, errors.Join(faults...)
}

// lower replaces a norm in training mode by ordinary operators.
func (b *builder) lower(n *onnxgraph.Node) (mean, variance *onnxgraph.Value) {
	return gradient.LowerBatchNorm(b.Builder, n)
}

// updateStatistics replaces the norms by ordinary operators, and moves their running statistics:
//
//	running = momentum·running + (1 - momentum)·batch
//
// with ONNX's momentum (0.9 is PyTorch's 0.1).
func (b *builder) updateStatistics(norms []*onnxgraph.Node) error {
	if len(norms) == 0 {
		return nil
	}
	var keep []float32
	for _, n := range norms {
		keep = append(keep, slices.Repeat([]float32{n.Float("momentum", 0.9)}, 2*int(channels(n)))...)
	}
	s, err := b.measured(norms, b.lower)
	if err != nil {
		return err
	}
	segments, initial, err := pack(s.running)
	if err != nil {
		return err
	}
	b.step.Statistics = segments
	statistics, err := b.slot(StatisticsSlot, initial)
	if err != nil {
		return err
	}
	kept, added := b.momentum(keep)
	batch := b.Op("Concat", s.batch, onnxgraph.Int("axis", 0))
	return b.next(statistics, b.add(b.mul(statistics, kept), b.mul(batch, added)))
}

// channels returns how many channels a norm has.
func channels(n *onnxgraph.Node) int64 {
	shape, _ := n.Input(0).StaticShape()
	return shape[1]
}

// momentum returns constants m and 1 - m, single numbers if m is the same everywhere.
func (b *builder) momentum(m []float32) (kept, added *onnxgraph.Value) {
	if !slices.ContainsFunc(m, func(v float32) bool { return v != m[0] }) {
		m = m[:1]
	}
	rest := make([]float32, len(m))
	for i, v := range m {
		rest[i] = 1 - v
	}
	dims := []int64{int64(len(m))}
	return b.Graph.AddConstant("momentum", onnxgraph.NewTensor(dims, m)), b.Graph.AddConstant("momentum_rest", onnxgraph.NewTensor(dims, rest))
}
