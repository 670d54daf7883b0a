package evaluate

import (
	"context"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// TestPredict compares probabilities with what models that end in different ways give themselves.
func TestPredict(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	images, _ := all(t, set, normalization)
	one := func(m *onnxgraph.Model, v *onnxgraph.Value) *onnxgraph.Value { // the first column
		zero := m.Graph.AddConstant("first", onnxgraph.NewTensor([]int64{1}, []int64{0}))
		return m.Graph.AddNode("Gather", []*onnxgraph.Value{v, zero}, onnxgraph.Int("axis", 1)).Output(0)
	}
	for _, c := range []struct {
		name, ends, probability string // the model's last operator, and the one that makes probabilities of what is before it
		single                  bool
		scale                   float64 // of the weights
	}{
		{"logits", "", "Softmax", false, 0.1},
		{"logits of about ±1000", "", "Softmax", false, 60},
		{"softmax", "Softmax", "Softmax", false, 0.1},
		{"log softmax", "LogSoftmax", "Softmax", false, 0.1},
		{"each class by itself", "Sigmoid", "Sigmoid", false, 0.1},
		{"binary logit", "", "Sigmoid", true, 0.1},
		{"binary logits of about ±1000", "", "Sigmoid", true, 60},
		{"binary sigmoid", "Sigmoid", "Sigmoid", true, 0.1},
	} {
		t.Run(c.name, func(t *testing.T) {
			ended := func(opType string) *onnxgraph.Model {
				m, _ := linear(t, c.scale)
				v := m.Graph.Outputs()[0]
				m.Graph.RemoveOutputs()
				if c.single {
					v = one(m, v)
				}
				if opType != "" {
					v = m.Graph.AddNode(opType, []*onnxgraph.Value{v}, onnxgraph.Int("axis", 1)).Output(0)
					if opType == "Sigmoid" {
						v.Producer().RemoveAttr("axis")
					}
				}
				m.Graph.AddOutput(v, onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: -1}})
				return m
			}
			reference := ended(c.probability)
			out := orttest.Run(t, reference, map[string]*onnxgraph.Tensor{"input": onnxgraph.NewTensor([]int64{samples, 1, side, side}, images)})
			want, err := out[reference.Graph.Outputs()[0].Name()].Float32s()
			if err != nil {
				t.Fatal(err)
			}
			seen := 0
			err = Predict(context.Background(), fit(t, ended(c.ends), 8, set.Shape), "input", set, Options{BatchSize: 8, Normalize: normalization}, func(i int, p []float64) {
				if i != seen {
					t.Errorf("image %d comes after %d", i, seen-1)
				}
				seen++
				for k, v := range p {
					probability := 0.0
					switch {
					case !c.single:
						probability = float64(want[i*classes+k])
					case k == 1:
						probability = float64(want[i])
					default:
						probability = 1 - float64(want[i])
					}
					if math.Abs(v-probability) > 1e-6 {
						t.Errorf("image %d, class %d: %g, want %g", i, k, v, probability)
					}
				}
			})
			if err != nil || seen != samples {
				t.Errorf("%d images are predicted (%v), want %d", seen, err, samples)
			}
		})
	}
}
