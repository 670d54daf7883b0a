package trainstep

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// MeasuredOutput is the name of a measurement's output, a float32 vector. The segments that Measurement returns say where each
// statistic lies in it.
const MeasuredOutput = "step.measured"

// MeasurementOptions says what to measure.
type MeasurementOptions struct {
	// Means names the running means (input 3) of the BatchNormalization nodes of the main graph to measure; nil means all. The
	// other nodes normalize by running statistics.
	Means []string
	// Inference makes the measured nodes normalize by running statistics too, as in inference. Otherwise they normalize by the
	// statistics of the batch, as in training. Dropout is off in both cases.
	Inference bool
}

// Measures reports whether Measurement measures the node, which must be in the main graph.
func (o MeasurementOptions) Measures(n *onnxgraph.Node) bool {
	return n.Is("BatchNormalization") && (o.Means == nil || slices.Contains(o.Means, n.Input(3).Name()))
}

// Measurement turns a model whose values all have static types into a graph that measures, for one batch of images, the mean and
// the unbiased variance of each input channel of BatchNormalization nodes. It changes the model in place. The graph has the
// inputs of the model, and the one output MeasuredOutput.
//
// The segments say where the statistics lie in that output: for each layer, the mean and then the variance, of shape [C]. A
// segment has the name of the constant with the running statistic that the numbers replace. If several nodes apply one layer, and
// so have the same running statistics, the numbers are the means over these nodes. If there is no node to measure, Measurement
// returns nil and leaves the model unchanged. The error lists the nodes whose statistics cannot be measured, such as those that
// read a single number per channel.
func Measurement(m *onnxgraph.Model, o MeasurementOptions) ([]Segment, error) {
	b := &builder{Builder: onnxgraph.NewBuilder(m.Graph), step: &Step{Model: m}}
	segments, err := b.measurement(o)
	if err != nil {
		return nil, fmt.Errorf("building the measurement of %s: %w", m.Path(), err)
	}
	return segments, nil
}

func (b *builder) measurement(o MeasurementOptions) ([]Segment, error) {
	measure := b.lower
	if o.Inference {
		measure = func(n *onnxgraph.Node) (mean, variance *onnxgraph.Value) {
			_, mean, variance = gradient.BatchStatistics(b.Builder, n.Input(0))
			return mean, variance
		}
	}
	var norms []*onnxgraph.Node
	for _, n := range b.Graph.Sorted() {
		if o.Measures(n) {
			norms = append(norms, n)
		}
	}
	if len(norms) == 0 {
		return nil, nil
	}
	s, err := b.measured(norms, measure, equalShares)
	if err != nil {
		return nil, err
	}
	segments, _, err := pack(s.running)
	if err != nil {
		return nil, err
	}
	b.Graph.RemoveOutputs()
	all := b.Op("Concat", s.batch, onnxgraph.Int("axis", 0))
	last := segments[len(segments)-1]
	if err := b.output(all, MeasuredOutput, last.Offset+last.Len()); err != nil {
		return nil, err
	}
	b.Graph.Prune()
	return segments, nil
}
