package trainstep_test

import (
	"bytes"
	"encoding/json"
	"math"
	"os/exec"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// binaryEnds are the ways in which a single number per image can tell two classes apart.
var binaryEnds = []struct {
	name string
	end  func(n *net, logit *onnxgraph.Value) *onnxgraph.Value
}{
	{"[N, 1]", func(n *net, z *onnxgraph.Value) *onnxgraph.Value { return z }},
	{"[N]", func(n *net, z *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Squeeze", []*onnxgraph.Value{z, n.sizes(1)})
	}},
	{"[N, 1, 1, 1]", func(n *net, z *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Reshape", []*onnxgraph.Value{z, n.sizes(0, -1, 1, 1)})
	}},
	{"sigmoid", func(n *net, z *onnxgraph.Value) *onnxgraph.Value { return n.op("Sigmoid", []*onnxgraph.Value{z}) }},
	{"flattened sigmoid", func(n *net, z *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Reshape", []*onnxgraph.Value{n.op("Sigmoid", []*onnxgraph.Value{z}), n.sizes(-1)})
	}},
	{"sigmoid of [N]", func(n *net, z *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Sigmoid", []*onnxgraph.Value{n.op("Squeeze", []*onnxgraph.Value{z, n.sizes(1)})})
	}},
}

func (n *net) sizes(v ...int64) *onnxgraph.Value {
	return n.model.Graph.AddConstant("sizes", onnxgraph.NewTensor([]int64{int64(len(v))}, v))
}

// binaryCase is what binary cross entropy is asked about: images·weights are the logits.
type binaryCase struct {
	Images    [][]float64 `json:"images"`
	Weights   []float64   `json:"weights"`
	Labels    []int64     `json:"labels"`
	Smoothing float64     `json:"smoothing"`
}

type binaryAnswer struct {
	Loss     float64   `json:"loss"`
	Gradient []float64 `json:"gradient"` // by the weights
}

// naive is the definition: the mean of -t·log(p) - (1-t)·log(1-p), with p = sigmoid(z) and t the label, smoothed.
func (c binaryCase) naive() (a binaryAnswer) {
	a.Gradient = make([]float64, len(c.Weights))
	n := float64(len(c.Images))
	for i, x := range c.Images {
		z := 0.0
		for k, w := range c.Weights {
			z += w * x[k]
		}
		t := float64(c.Labels[i])*(1-c.Smoothing) + c.Smoothing/2
		a.Loss += (math.Max(z, 0) - z*t + math.Log1p(math.Exp(-math.Abs(z)))) / n
		for k := range c.Weights {
			a.Gradient[k] += (1/(1+math.Exp(-z)) - t) * x[k] / n
		}
	}
	return a
}

const torchBinary = `
import json, sys, torch
answers = []
for case in json.load(sys.stdin):
    images = torch.tensor(case["images"], dtype=torch.float64)
    weights = torch.tensor(case["weights"], dtype=torch.float64, requires_grad=True)
    targets = torch.tensor(case["labels"], dtype=torch.float64) * (1 - case["smoothing"]) + case["smoothing"] / 2
    loss = torch.nn.functional.binary_cross_entropy_with_logits(images @ weights, targets)
    loss.backward()
    answers.append({"loss": loss.item(), "gradient": weights.grad.tolist()})
json.dump(answers, sys.stdout)
`

// binaryCases are loss and gradient of models with a single number per image; also of logits far from 0, where probabilities
// round to 0 and 1.
func binaryCases(t *testing.T) (cases []binaryCase) {
	t.Helper()
	for _, smoothing := range []float64{0, 0.1} {
		for _, scale := range []float64{1, 300} {
			c := binaryCase{Smoothing: smoothing}
			n := newNet(t, 7, 4)
			for _, w := range n.normal(0, scale, 4) {
				c.Weights = append(c.Weights, float64(w))
			}
			images, labels := n.data(2)
			for i := range 7 {
				row := make([]float64, 4)
				for k := range row {
					row[k] = float64(images[4*i+k])
				}
				c.Images = append(c.Images, row)
			}
			c.Labels = labels
			cases = append(cases, c)
		}
	}
	return cases
}

// TestBinaryDefinition compares the definition of binary cross entropy with PyTorch's.
func TestBinaryDefinition(t *testing.T) {
	python, cases := peer.Python(t, "torch"), binaryCases(t)
	question, err := json.Marshal(cases)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "-c", torchBinary)
	cmd.Stdin = bytes.NewReader(question)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []binaryAnswer
	if err := json.Unmarshal(out, &answers); err != nil || len(answers) != len(cases) {
		t.Fatalf("PyTorch says %s: %v", out, err)
	}
	for i, torch := range answers {
		want := cases[i].naive()
		near(t, "PyTorch's loss and gradient", append(torch.Gradient, torch.Loss), append(want.Gradient, want.Loss), 1e-9)
	}
}

// TestBinary compares loss and gradient with the definition of binary cross entropy.
func TestBinary(t *testing.T) {
	for _, c := range binaryCases(t) {
		want := c.naive()
		for _, form := range binaryEnds {
			n := newNet(t, 7, 4)
			weights := make([]float32, 4)
			var images []float32
			for k, w := range c.Weights {
				weights[k] = float32(w)
			}
			right := 0.0
			for i, row := range c.Images {
				z := 0.0
				for k, x := range row {
					images = append(images, float32(x))
					z += x * c.Weights[k]
				}
				if (z > 0) == (c.Labels[i] == 1) {
					right++
				}
			}
			w := n.model.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{4, 1}, weights))
			n.output(form.end(n, n.op("MatMul", []*onnxgraph.Value{n.image, w})))
			r := newRunner(t, n.model, n.shape, trainstep.Options{Trained: []string{"w"}, Optimizer: trainstep.SGD{}, LabelSmoothing: c.Smoothing})
			if r.step.Classes != 2 {
				t.Errorf("%s: %d classes, want 2", form.name, r.step.Classes)
			}
			loss, gradient := r.gradient(images, c.Labels)
			near(t, form.name+": gradient", gradient, want.Gradient, 1e-5)
			near(t, form.name+": loss", []float64{loss}, []float64{want.Loss}, 1e-5)
			if got := float64(r.output(trainstep.CorrectOutput)[0]); got != right {
				t.Errorf("%s: %v are right, want %v", form.name, got, right)
			}
		}
	}
}
