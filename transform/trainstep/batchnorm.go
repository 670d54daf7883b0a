package trainstep

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// trainingNorms returns the norms that normalize by the statistics of the batch.
func (b *builder) trainingNorms() []*onnxgraph.Node {
	if b.FreezeStatistics {
		return nil
	}
	return slices.DeleteFunc(b.Graph.Sorted(), func(n *onnxgraph.Node) bool {
		return !n.Is("BatchNormalization") || !b.isTraining(n.Output(0))
	})
}

// normStatistics are the running statistics of BatchNormalization nodes, mean and variance of each in turn, and
// what was measured of a batch in their place, of the same lengths.
type normStatistics struct {
	running, batch []*onnxgraph.Value
}

// measured measures what each of norms reads by a function that emits mean and biased variance, in any shape. As
// in PyTorch, the variance that goes into the running one is unbiased, M/(M-1) times that of the batch, for M
// elements per channel. The error is that of checkStatistics.
func (b *builder) measured(norms []*onnxgraph.Node, measure func(*onnxgraph.Node) (mean, variance *onnxgraph.Value)) (normStatistics, error) {
	if err := b.checkStatistics(norms); err != nil {
		return normStatistics{}, err
	}
	var s normStatistics
	for _, n := range norms {
		s.running = append(s.running, n.Input(3), n.Input(4))
		elements, size := float64(elementsPerChannel(n)), b.Ints(channels(n))
		mean, variance := measure(n) // may remove n
		for _, v := range []*onnxgraph.Value{mean, b.scale(variance, elements/(elements-1))} {
			s.batch = append(s.batch, b.Op("Reshape", []*onnxgraph.Value{v, size}))
		}
	}
	return s, nil
}

// checkStatistics returns an error that lists all norms whose statistics are no constants of their own, and those
// that read a single element per channel.
func (b *builder) checkStatistics(norms []*onnxgraph.Node) error {
	var faults []error
	seen := map[*onnxgraph.Value]bool{}
	for _, n := range norms {
		if elementsPerChannel(n) < 2 {
			faults = append(faults, fmt.Errorf("node %s reads one number per channel, which has no variance: take batches of 2 images or more", n))
		}
		for _, v := range []*onnxgraph.Value{n.Input(3), n.Input(4)} {
			if v.Constant() == nil || seen[v] || slices.Contains(b.Trained, v.Name()) {
				faults = append(faults, fmt.Errorf("node %s: running statistics %q are computed, or shared with another node: train with frozen statistics", n, v.Name()))
			}
			seen[v] = true
		}
	}
	return errors.Join(faults...)
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

func elementsPerChannel(n *onnxgraph.Node) int64 {
	shape, _ := n.Input(0).StaticShape()
	return Segment{Shape: shape}.Len() / shape[1]
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
