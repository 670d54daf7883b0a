package trainstep

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// trainingNorms returns the norms that normalize by the statistics of the batch.
func (b *builder) trainingNorms() []*onnxgraph.Node {
	if b.FreezeStatistics {
		return nil
	}
	return slices.DeleteFunc(b.Graph.Sorted(), func(n *onnxgraph.Node) bool {
		return !n.Is("BatchNormalization") || !b.isTraining(n)
	})
}

// normStatistics holds the running statistics of BatchNormalization nodes (mean and variance of the first layer, then of the
// next), and the statistics of a batch in the same order and with the same lengths.
type normStatistics struct {
	running, batch []*onnxgraph.Value
}

// measured calls measure for each norm; it emits the mean and the biased variance of the norm's input, in any shape. As in
// PyTorch, the running variance uses the unbiased variance, M/(M-1) times the biased one for M elements per channel. If several
// nodes apply one layer, the function shares returns the weight of each node's statistics. The error is that of checkStatistics.
func (b *builder) measured(norms []*onnxgraph.Node, measure func(*onnxgraph.Node) (mean, variance *onnxgraph.Value), shares func(layer []*onnxgraph.Node) []float64) (normStatistics, error) {
	if err := b.checkStatistics(norms); err != nil {
		return normStatistics{}, err
	}
	var s normStatistics
	for _, layer := range normLayers(norms) {
		share := shares(layer)
		s.running = append(s.running, layer[0].Input(3), layer[0].Input(4))
		var means, variances []*onnxgraph.Value
		for i, n := range layer {
			elements, size := float64(elementsPerChannel(n)), b.Ints(channels(n))
			mean, variance := measure(n) // measure may remove n
			mean, variance = b.scale(mean, share[i]), b.scale(variance, share[i]*elements/(elements-1))
			means = append(means, b.Op("Reshape", []*onnxgraph.Value{mean, size}))
			variances = append(variances, b.Op("Reshape", []*onnxgraph.Value{variance, size}))
		}
		s.batch = append(s.batch, b.total(means), b.total(variances))
	}
	return s, nil
}

// normLayers groups nodes by layer. Nodes with the same running statistics belong to one layer.
func normLayers(norms []*onnxgraph.Node) [][]*onnxgraph.Node {
	var layers [][]*onnxgraph.Node
	at := map[*onnxgraph.Value]int{}
	for _, n := range norms {
		i, known := at[n.Input(3)]
		if !known {
			i = len(layers)
			at[n.Input(3)] = i
			layers = append(layers, nil)
		}
		layers[i] = append(layers[i], n)
	}
	return layers
}

// equalShares gives all nodes of a layer the same weight.
func equalShares(layer []*onnxgraph.Node) []float64 {
	return slices.Repeat([]float64{1 / float64(len(layer))}, len(layer))
}

// total adds up values.
func (b *builder) total(values []*onnxgraph.Value) *onnxgraph.Value {
	sum := values[0]
	for _, v := range values[1:] {
		sum = b.add(sum, v)
	}
	return sum
}

// checkStatistics returns an error that lists all norms whose statistics are not constants, norms that share only one of their
// two statistics, and norms that read a single element per channel.
func (b *builder) checkStatistics(norms []*onnxgraph.Node) error {
	var faults []error
	partner := map[*onnxgraph.Value]onnxgraph.Use{} // the first use of the layer's other statistic
	for _, n := range norms {
		if t := n.Input(0).DType(); t != onnxgraph.Float32 {
			faults = append(faults, fmt.Errorf("node %s computes in %v, and its statistics need a model that computes in float32: %s", n, t, precision.MakeFloat32))
			continue
		}
		if elementsPerChannel(n) < 2 {
			faults = append(faults, fmt.Errorf("node %s reads one number per channel, which has no variance: take batches of 2 images or more", n))
		}
		for i := 3; i <= 4; i++ {
			v := n.Input(i)
			if v.Constant() == nil || slices.Contains(b.Trained, v.Name()) {
				faults = append(faults, fmt.Errorf("node %s: running statistics %q are computed, or train: train with frozen statistics (--batchnorm eval)", n, v.Name()))
				continue
			}
			first, known := partner[v]
			if known && (first.Index != i || first.Node.Input(7-i) != n.Input(7-i)) {
				faults = append(faults, fmt.Errorf("node %s: running statistics %q are also those of node %s, which has others besides: train with frozen statistics (--batchnorm eval)", n, v.Name(), first.Node))
			}
			if !known {
				partner[v] = onnxgraph.Use{Node: n, Index: i}
			}
		}
	}
	return errors.Join(faults...)
}

// lower replaces a norm in training mode by ordinary operators.
func (b *builder) lower(n *onnxgraph.Node) (mean, variance *onnxgraph.Value) {
	return gradient.LowerBatchNorm(b.Builder, n)
}

// updateStatistics replaces the norms by ordinary operators, and updates their running statistics:
//
//	running = momentum·running + (1 - momentum)·batch
//
// with ONNX's momentum (0.9 is PyTorch's 0.1). If several nodes apply one layer, each of them updates the statistics, in order.
func (b *builder) updateStatistics(norms []*onnxgraph.Node) error {
	if len(norms) == 0 {
		return nil
	}
	var keep []float32
	for _, layer := range normLayers(norms) {
		kept := 1.0
		for _, n := range layer {
			kept *= momentum(n)
		}
		keep = append(keep, slices.Repeat([]float32{float32(kept)}, 2*int(channels(layer[0])))...)
	}
	s, err := b.measured(norms, b.lower, sharesInTurn)
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

// sharesInTurn returns the weight that the batch statistics of each node have in the change of the running statistics, if the
// nodes of a layer update them one after another. Later updates keep only a part of earlier ones.
func sharesInTurn(layer []*onnxgraph.Node) []float64 {
	shares, kept := make([]float64, len(layer)), 1.0
	for i := len(layer) - 1; i >= 0; i-- {
		m := momentum(layer[i])
		shares[i] = (1 - m) * kept
		kept *= m
	}
	if kept == 1 {
		return equalShares(layer) // nothing is added
	}
	for i := range shares {
		shares[i] /= 1 - kept
	}
	return shares
}

// momentum returns the share of the old running statistics that a norm keeps.
func momentum(n *onnxgraph.Node) float64 { return float64(n.Float("momentum", 0.9)) }

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

// OddMomentum returns the names of the BatchNormalization nodes of the main graph with momentum 1, whose running statistics
// never change in training, and of those with momentum 0, whose running statistics are those of the last batch.
func OddMomentum(m *onnxgraph.Model) (stay, forget []string) {
	for _, n := range m.Graph.Nodes() {
		if !n.Is("BatchNormalization") || n.Output(0) == nil {
			continue
		}
		name := n.Name()
		if name == "" {
			name = n.Output(0).Name()
		}
		switch momentum(n) {
		case 1:
			stay = append(stay, name)
		case 0:
			forget = append(forget, name)
		}
	}
	return stay, forget
}
