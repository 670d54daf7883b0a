package trainstep_test

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestEvaluation compares logits, and the gradient of the loss by the images, with a naive reference: norms go by running
// statistics.
func TestEvaluation(t *testing.T) {
	n := residualNet(t)
	p := n.constants()
	images, labels := n.data(classes)
	tensors := map[string]*onnxgraph.Tensor{"image": onnxgraph.NewTensor(n.shape, images)}
	for _, withGradient := range []bool{false, true} {
		m, err := trainstep.Evaluation(fit(t, n.model, n.shape), "image", trainstep.EvaluationOptions{ImageGradient: withGradient})
		if err != nil {
			t.Fatal(err)
		}
		if withGradient {
			tensors[trainstep.LabelsInput] = onnxgraph.NewTensor([]int64{int64(len(labels))}, labels)
		}
		if len(m.Graph.Inputs()) != len(tensors) || len(m.Graph.Outputs()) != len(tensors) {
			t.Errorf("the evaluation has inputs %v and outputs %v", m.Graph.Inputs(), m.Graph.Outputs())
		}
		for _, node := range m.Graph.Nodes() {
			if !node.Output(0).IsUsed() {
				t.Errorf("%s is left, which nothing reads", node)
			}
		}
		got := orttest.Run(t, m, tensors)
		logits := floats(t, got[trainstep.LogitsOutput])
		var rows [][]float64
		for i := range labels {
			rows = append(rows, widen(logits[i*classes:(i+1)*classes]))
		}
		want, _ := residualReference(p, widen(images), labels, 0, p)
		near(t, "loss by the logits", []float64{crossEntropy(rows, labels, 0)}, []float64{want}, 1e-5)
		if !withGradient {
			continue
		}
		slope := floats(t, got[trainstep.ImageGradientOutput])
		x := widen(images)
		var some, expected []float64
		for i := 0; i < len(x); i += 37 {
			const h = 1e-6
			v := x[i]
			x[i] = v + h
			above, _ := residualReference(p, x, labels, 0, p)
			x[i] = v - h
			below, _ := residualReference(p, x, labels, 0, p)
			x[i] = v
			some, expected = append(some, float64(slope[i])), append(expected, (above-below)/(2*h))
		}
		near(t, "gradient by the images", some, expected, 1e-4)
	}
}

// TestEvaluationFaults checks which models are refused, and that the error says what was being done.
func TestEvaluationFaults(t *testing.T) {
	constant := newNet(t, 2, 3)
	constant.output(constant.op("Add", []*onnxgraph.Value{constant.op("Floor", []*onnxgraph.Value{constant.image}), constant.trainable("w", 0, 1, 3)}))
	taken := newNet(t, 2, 3)
	logits := taken.op("Relu", []*onnxgraph.Value{taken.image})
	taken.model.Graph.Rename(logits, trainstep.LogitsOutput)
	taken.output(logits)
	wide := newNet(t, 2, 3, 4, 4)
	wide.output(wide.op("Relu", []*onnxgraph.Value{wide.image}))
	labels := newNet(t, 2, 3)
	relu := labels.op("Relu", []*onnxgraph.Value{labels.image})
	labels.model.Graph.Rename(relu, trainstep.LabelsInput)
	labels.output(relu)
	for _, c := range []struct {
		net  *net
		want string
	}{
		{constant, "the loss does not depend on the images"},
		{taken, `naming output "step.logits": the model has a value of that name`},
		{wide, "has shape [2 3 4 4]"},
		{labels, `"step.labels"`},
	} {
		_, err := trainstep.Evaluation(fit(t, c.net.model, c.net.shape), "image", trainstep.EvaluationOptions{ImageGradient: true})
		if err == nil || !strings.Contains(err.Error(), "building the evaluation of") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got error %v, want one with %q", err, c.want)
		}
	}
}

// TestMeasurement compares measured statistics with those of a naive reference.
func TestMeasurement(t *testing.T) {
	n := residualNet(t)
	p := n.constants()
	images, labels := n.data(classes)
	first := map[string][]float64{"n1.mean": p["n1.mean"], "n1.var": p["n1.var"]}
	for _, c := range []struct {
		name    string
		options trainstep.MeasurementOptions
		given   map[string][]float64
		norms   []string
	}{
		{"all", trainstep.MeasurementOptions{}, nil, []string{"n1", "n2"}},
		{"all, as in inference", trainstep.MeasurementOptions{Inference: true}, p, []string{"n1", "n2"}},
		{"the second", trainstep.MeasurementOptions{Means: []string{"n2.mean"}}, first, []string{"n2"}},
		{"the first", trainstep.MeasurementOptions{Means: []string{"n1.mean"}}, nil, []string{"n1"}},
		{"none", trainstep.MeasurementOptions{Means: []string{"n1.var"}}, nil, nil},
	} {
		m := fit(t, n.model, n.shape)
		segments, err := trainstep.Measurement(m, c.options)
		if err != nil {
			t.Fatal(err)
		}
		if len(segments) != 2*len(c.norms) {
			t.Errorf("%s: segments %+v", c.name, segments)
		}
		if len(c.norms) == 0 {
			continue
		}
		got := floats(t, orttest.Run(t, m, map[string]*onnxgraph.Tensor{"image": onnxgraph.NewTensor(n.shape, images)})[trainstep.MeasuredOutput])
		_, want := residualReference(p, widen(images), labels, 0, c.given)
		const elements = 4.0 * 8 * 8
		for _, norm := range c.norms {
			for i := range want[norm+".var"] {
				want[norm+".var"][i] *= elements / (elements - 1)
			}
			for _, name := range []string{norm + ".mean", norm + ".var"} {
				near(t, c.name+": "+name, piece(t, segments, got, name), want[name], 1e-5)
			}
		}
		for _, node := range m.Graph.Nodes() {
			if !node.Output(0).IsUsed() {
				t.Errorf("%s: %s is left, which nothing reads", c.name, node)
			}
		}
	}
}

// TestMeasurementOfSharedLayer measures a layer that is used at two places: both count the same. A layer that cannot be
// measured is named.
func TestMeasurementOfSharedLayer(t *testing.T) {
	n := newNet(t, 3, 2)
	inputs := n.norm("n", n.image, 2).Producer().Inputs()
	doubled := n.op("Add", []*onnxgraph.Value{n.image, n.image})
	again := n.op("BatchNormalization", append([]*onnxgraph.Value{doubled}, inputs[1:]...))
	n.output(n.op("Add", []*onnxgraph.Value{n.first("BatchNormalization").Output(0), again}))
	m := fit(t, n.model, n.shape)
	segments, err := trainstep.Measurement(m, trainstep.MeasurementOptions{})
	if err != nil {
		t.Fatal(err)
	}
	images := []float32{1, 5, 2, 5, 6, 11}
	got := floats(t, orttest.Run(t, m, map[string]*onnxgraph.Tensor{"image": onnxgraph.NewTensor(n.shape, images)})[trainstep.MeasuredOutput])
	near(t, "mean", piece(t, segments, got, "n.mean"), []float64{(3 + 6) / 2.0, (7 + 14) / 2.0}, 1e-6)
	near(t, "variance", piece(t, segments, got, "n.var"), []float64{(7 + 28) / 2.0, (12 + 48) / 2.0}, 1e-6)

	single := newNet(t, 1, 2)
	single.output(single.norm("n", single.image, 2))
	if _, err := trainstep.Measurement(fit(t, single.model, single.shape), trainstep.MeasurementOptions{}); err == nil ||
		!strings.Contains(err.Error(), "building the measurement of") || !strings.Contains(err.Error(), "one number per channel") {
		t.Errorf("a single number per channel: %v", err)
	}
}
