package trainstep

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// MeasuredOutput is the name of a measurement's output: a float32 vector, in which the segments say where each statistic lies.
const MeasuredOutput = "step.measured"

// MeasurementOptions says what to measure.
type MeasurementOptions struct {
	// Means names the running means of the BatchNormalization nodes to measure; nil means all. The other nodes normalize by
	// running statistics.
	Means []string
	// Inference makes the measured nodes normalize by running statistics too, as in inference. Otherwise they normalize by the
	// statistics of the batch, as in training. Dropout is off in both cases.
	Inference bool
}

// Measures reports whether the node is measured.
func (o MeasurementOptions) Measures(n *onnxgraph.Node) bool {
	return n.Is("BatchNormalization") && (o.Means == nil || slices.Contains(o.Means, n.Input(3).Name()))
}

// Measurement turns a model whose values all have static types into a graph that measures, for one batch of images, the mean and
// the unbiased variance of each input channel of BatchNormalization nodes. It changes the model in place. The segments have the
// names of the running statistics that the measured numbers replace; there are none if the model has no such node.
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
