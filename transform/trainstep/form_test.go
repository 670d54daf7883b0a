package trainstep_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestBlockFormsAgree takes a step in both forms of every kind of block, frozen and learned: loss and
// gradient must be the same but for rounding.
func TestBlockFormsAgree(t *testing.T) {
	for _, c := range convcases.Cases {
		if c.DType != onnxgraph.Undefined || c.Opset != 0 && c.Opset < 18 || !c.Runs() {
			continue // training is in float32, after an upgrade
		}
		for _, o := range []transform.Options{
			{Expansion: 1, Pointwise: transform.Random},
			{Expansion: 3, Pointwise: transform.Random},
			{Expansion: 4, Pointwise: transform.Random, Layout: transform.Depthwise},
			{Expansion: 23, Pointwise: transform.Random}, // which trains by coordinates if it is merged
		} {
			for _, variant := range []parameter.Variant{parameter.Frozen, parameter.Learned} {
				t.Run(fmt.Sprintf("%s/%s-%d/%s", c.Name, o.Layout, o.Expansion, variant), func(t *testing.T) {
					t.Parallel()
					compareForms(t, c, o, variant)
				})
			}
		}
	}
}

func compareForms(t *testing.T, c convcases.Case, o transform.Options, variant parameter.Variant) {
	m := c.Model()
	g := m.Graph
	y := g.Value(convcases.Y)
	g.RemoveOutputs()
	g.AddOutput(g.AddNode("GlobalAveragePool", []*onnxgraph.Value{y}).Output(0), onnxgraph.Float32, nil)
	g.Rename(g.Value(convcases.X), "image")
	if _, err := transform.Convert(m, o); err != nil {
		t.Fatal(err)
	}
	trained, err := variant.Trained(m)
	if err != nil {
		t.Fatal(err)
	}
	images, err := c.Data().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	labels := make([]int64, c.Input[0])
	for i := range labels {
		labels[i] = int64(i+1) % c.Filters
	}
	var losses []float64
	var gradients [][]float64
	var nodes []int
	for _, form := range []trainstep.BlockForm{trainstep.TwoConv, trainstep.Merged} {
		r := newRunner(t, m, c.Input, trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{}, BlockForm: form})
		loss, gradient := r.gradient(images, labels)
		losses, gradients = append(losses, loss), append(gradients, gradient)
		convs := 0
		for _, n := range r.step.Model.Graph.Nodes() {
			if n.Is("Conv") {
				convs++
			}
		}
		nodes = append(nodes, convs)
		if merged := r.step.Merged; r.step.TwoConv+merged != 1 || (merged == 1) != (form == trainstep.Merged) {
			t.Errorf("form %s: %d blocks are said to run as two convolutions, %d merged", form, r.step.TwoConv, merged)
		}
	}
	if nodes[1] >= nodes[0] {
		t.Errorf("the merged step has %d convolutions, the other %d", nodes[1], nodes[0])
	}
	near(t, "loss", losses[1:], losses[:1], 1e-5)
	near(t, "gradient", gradients[1], gradients[0], 1e-4)
}

// TestSharedBlockForms takes a step in both forms of two blocks that have one bank and one 1×1 weight: the weight has the
// gradient of both places.
func TestSharedBlockForms(t *testing.T) {
	for _, expansion := range []int{1, 23} {
		for _, variant := range []parameter.Variant{parameter.Frozen, parameter.Learned} {
			n := newNet(t, 3, 4, 7, 6)
			w := n.trainable("w", 0, 0.3, 4, 4, 3, 3)
			x := n.op("Conv", []*onnxgraph.Value{n.image, w, n.trainable("b", 0, 0.3, 4)}, onnxgraph.Ints("pads", 1, 1, 1, 1))
			x = n.op("Conv", []*onnxgraph.Value{n.op("Relu", []*onnxgraph.Value{x}), w}, onnxgraph.Ints("strides", 2, 1))
			n.output(n.op("Flatten", []*onnxgraph.Value{n.op("GlobalAveragePool", []*onnxgraph.Value{x})}))
			if _, err := transform.Convert(n.model, transform.Options{Expansion: expansion, Pointwise: transform.Random}); err != nil {
				t.Fatal(err)
			}
			trained, err := variant.Trained(n.model)
			if err != nil {
				t.Fatal(err)
			}
			images, labels := n.data(4)
			o := trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{}, BlockForm: trainstep.TwoConv}
			two := newRunner(t, n.model, n.shape, o)
			o.BlockForm = trainstep.Merged
			merged := newRunner(t, n.model, n.shape, o)
			if two.step.TwoConv != 2 || merged.step.Merged != 2 {
				t.Errorf("%d blocks run as two convolutions, %d merged, want 2 each", two.step.TwoConv, merged.step.Merged)
			}
			loss, gradient := merged.gradient(images, labels)
			wantLoss, want := two.gradient(images, labels)
			near(t, "loss", []float64{loss}, []float64{wantLoss}, 1e-5)
			for _, s := range two.step.Parameters {
				near(t, fmt.Sprintf("E = %d, %s: gradient of %s", expansion, variant, s.Name),
					piece(t, merged.step.Parameters, gradient, s.Name), piece(t, two.step.Parameters, want, s.Name), 1e-4)
			}
		}
	}
}

// TestAutoForm checks which form is chosen, for blocks of which one form takes at least a third longer than the other.
func TestAutoForm(t *testing.T) {
	cases := []struct {
		name     string
		channels int // of the images
		o        transform.Options
		variant  parameter.Variant
		merges   bool
	}{
		{"one bank filter per filter", 16, transform.Options{Expansion: 1}, parameter.Frozen, false},
		{"one bank filter per filter, and images of few channels", 3, transform.Options{Expansion: 1}, parameter.Frozen, false},
		{"as many, but the bank trains, too", 16, transform.Options{Expansion: 1}, parameter.Learned, true},
		{"many bank filters", 16, transform.Options{Expansion: 4}, parameter.Frozen, true},
		{"a bank filter per channel", 16, transform.Options{Expansion: 1, Layout: transform.Depthwise}, parameter.Frozen, false},
		{"many bank filters per channel", 16, transform.Options{Expansion: 8, Layout: transform.Depthwise}, parameter.Frozen, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Channels: c.channels})
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.Rename(m.Graph.Value("input"), "image")
			c.o.Pointwise = transform.Random
			if _, err := transform.Convert(m, c.o); err != nil {
				t.Fatal(err)
			}
			trained, err := c.variant.Trained(m)
			if err != nil {
				t.Fatal(err)
			}
			fitted := fit(t, m, []int64{2, int64(c.channels), 32, 32})
			convs := map[trainstep.BlockForm]int{}
			for _, form := range trainstep.BlockForms() {
				step, err := trainstep.Build(fitted.Clone(), "image", trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{}, BlockForm: form})
				if err != nil {
					t.Fatal(err)
				}
				convs[form] = len(step.Convolutions)
			}
			want := trainstep.TwoConv
			if c.merges {
				want = trainstep.Merged
			}
			if convs[trainstep.AutoForm] != convs[want] || convs[trainstep.TwoConv] == convs[trainstep.Merged] {
				t.Errorf("the forms have %v convolutions, want auto to be %s", convs, want)
			}
		})
	}
}

// TestUnknownForm refuses a form that does not exist, and names those that do.
func TestUnknownForm(t *testing.T) {
	n := newNet(t, 2, 3)
	n.output(n.op("Mul", []*onnxgraph.Value{n.image, n.trainable("w", 1, 0.1, 3)}))
	_, err := trainstep.Build(fit(t, n.model, n.shape), "image", trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}, BlockForm: "fast"})
	if err == nil || !strings.Contains(err.Error(), "two-conv") {
		t.Errorf("got error %v, want it to name the forms", err)
	}
}

// TestOldNameOfForm reads the forms as checkpoints of any release name them.
func TestOldNameOfForm(t *testing.T) {
	for text, want := range map[string]trainstep.BlockForm{
		`"folded"`: trainstep.Merged, `"merged"`: trainstep.Merged, `"two-conv"`: trainstep.TwoConv, `"auto"`: trainstep.AutoForm,
	} {
		var got trainstep.BlockForm
		if err := json.Unmarshal([]byte(text), &got); err != nil || got != want {
			t.Errorf("%s is read as %q, %v, want %q", text, got, err, want)
		}
	}
}
