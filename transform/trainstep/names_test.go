package trainstep_test

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestTakenNames refuses models that have a value of a name which a graph gives to its inputs, outputs or state: all of them.
func TestTakenNames(t *testing.T) {
	momentum := trainstep.SGD{Momentum: 0.9}
	step := func(o trainstep.Options) func(m *onnxgraph.Model) error {
		return func(m *onnxgraph.Model) error {
			o.Trained, o.Accumulate = []string{"w"}, true
			_, err := trainstep.Build(m, "image", o)
			return err
		}
	}
	evaluation := func(m *onnxgraph.Model) error {
		_, err := trainstep.Evaluation(m, "image", trainstep.EvaluationOptions{ImageGradient: true})
		return err
	}
	measurement := func(m *onnxgraph.Model) error {
		_, err := trainstep.Measurement(m, trainstep.MeasurementOptions{})
		return err
	}
	for _, c := range []struct {
		graph string
		make  func(m *onnxgraph.Model) error
		names []string
	}{
		{"step", step(trainstep.Options{Optimizer: momentum}), []string{
			trainstep.LabelsInput, trainstep.LearningRateInput, trainstep.UpdateInput, trainstep.DropoutStreamInput,
			trainstep.LossOutput, trainstep.CorrectOutput,
			trainstep.ParametersSlot, trainstep.ParametersSlot + ".next", trainstep.StatisticsSlot, trainstep.StatisticsSlot + ".next",
			"step.gradient_sum", "step.gradient_sum.next", "step.momentum", "step.momentum.next",
		}},
		{"step of AdamW", step(trainstep.Options{Optimizer: trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-3}}), []string{
			"step.count", "step.count.next", "step.first_moment", "step.first_moment.next", "step.second_moment", "step.second_moment.next",
		}},
		{"evaluation", evaluation, []string{trainstep.LabelsInput, trainstep.LogitsOutput, trainstep.ImageGradientOutput}},
		{"measurement", measurement, []string{trainstep.MeasuredOutput}},
	} {
		for _, name := range append(c.names, "another") {
			n := newNet(t, 4, 3)
			x := n.op("Dropout", []*onnxgraph.Value{n.norm("norm", n.image, 3)})
			y := n.op("Mul", []*onnxgraph.Value{x, n.trainable("w", 1, 0.1, 3)})
			n.model.Graph.Rename(y, name)
			n.output(n.op("Neg", []*onnxgraph.Value{y}))
			err := c.make(fit(t, n.model, n.shape))
			if name == "another" && err != nil || name != "another" && (err == nil || !strings.Contains(err.Error(), `"`+name+`"`)) {
				t.Errorf("%s: the model has a value %q: got error %v", c.graph, name, err)
			}
		}
	}
}
