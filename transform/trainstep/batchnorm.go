package trainstep

import (
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

// updateStatistics replaces the norms by ordinary operators, and moves their running statistics:
//
//	running = momentum·running + (1 - momentum)·batch
//
// with ONNX's momentum (0.9 is PyTorch's 0.1). As in PyTorch, the variance that goes into the running one
// is unbiased, M/(M-1) times that of the batch, for M elements per channel.
func (b *builder) updateStatistics(norms []*onnxgraph.Node) error {
	if len(norms) == 0 {
		return nil
	}
	var running, fresh []*onnxgraph.Value
	var keep []float32
	for _, n := range norms {
		mean, variance := n.Input(3), n.Input(4)
		shape, _ := n.Input(0).StaticShape()
		channels, elements := shape[1], float64(1)
		for i, d := range shape {
			if i != 1 {
				elements *= float64(d)
			}
		}
		for _, v := range []*onnxgraph.Value{mean, variance} {
			if v.Constant() == nil || slices.Contains(running, v) {
				return fmt.Errorf("node %s: running statistics %q are computed, or shared with another node: train with frozen statistics", n, v.Name())
			}
			running = append(running, v)
			keep = append(keep, slices.Repeat([]float32{n.Float("momentum", 0.9)}, int(channels))...)
		}
		batchMean, batchVariance := gradient.LowerBatchNorm(b.Builder, n)
		unbiased := elements / max(elements-1, 1)
		for _, v := range []*onnxgraph.Value{batchMean, b.scale(batchVariance, unbiased)} {
			fresh = append(fresh, b.Op("Reshape", []*onnxgraph.Value{v, b.Ints(channels)}))
		}
	}
	segments, initial, err := pack(running)
	if err != nil {
		return err
	}
	b.step.Statistics = segments
	statistics, err := b.slot(StatisticsSlot, initial)
	if err != nil {
		return err
	}
	kept, added := b.momentum(keep)
	batch := b.Op("Concat", fresh, onnxgraph.Int("axis", 0))
	return b.next(statistics, b.add(b.mul(statistics, kept), b.mul(batch, added)))
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
