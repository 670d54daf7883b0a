package transformtest

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Sketch makes a model from lines such as "Conv x w -> y". The names of values that no node makes say what they are: x is the
// input, w… are weights [4, 4, 1, 1], n… vectors of 4 different numbers, r… the same as matrices [1, 4], e… matrices [1, 4] of
// ones, s… single numbers with many digits, dims is the shape [4], and _ is an absent input. All others are four ones, which
// exporters store only once. The output of the last line is the model's output.
func Sketch(t *testing.T, text string) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("sketch", 8, 18)
	g := m.Graph
	if _, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(2, 4, 6, 6)); err != nil {
		t.Fatal(err)
	}
	value := func(name string) *onnxgraph.Value {
		if v := g.Value(name); v != nil {
			return v
		}
		if name == "dims" {
			return g.AddConstant(name, onnxgraph.NewTensor([]int64{1}, []int64{4}))
		}
		dims, data := []int64{4}, []float32{1, 1, 1, 1}
		switch name[0] {
		case 'w':
			dims, data = []int64{4, 4, 1, 1}, make([]float32, 16)
			data[0] = 0.3
		case 'n':
			data = []float32{0.3, 0.1, 0.7, 0.9}
		case 'r':
			dims, data = []int64{1, 4}, []float32{0.3, 0.1, 0.7, 0.9}
		case 'e':
			dims = []int64{1, 4}
		case 's':
			dims, data = []int64{1}, []float32{0.3456789}
		}
		return g.AddConstant(name, onnxgraph.NewTensor(dims, data))
	}
	var last *onnxgraph.Value
	for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
		words := strings.Fields(line)
		var inputs []*onnxgraph.Value
		for _, name := range words[1 : len(words)-2] {
			if name == "_" {
				inputs = append(inputs, nil)
				continue
			}
			inputs = append(inputs, value(name))
		}
		switch words[0] {
		case "Half": // as a number of 16 bits
			last = g.AddNode("Cast", inputs, onnxgraph.Int("to", int64(onnxgraph.Float16))).Output(0)
		default:
			last = g.AddNode(words[0], inputs).Output(0)
		}
		if !g.Rename(last, words[len(words)-1]) {
			t.Fatalf("two values of a name: %s", line)
		}
	}
	g.AddOutput(last, onnxgraph.Float32, nil)
	return m
}
