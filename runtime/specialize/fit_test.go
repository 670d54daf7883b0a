package specialize_test

import (
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// channelsLast returns a net that takes images [N, 14, 12, channels], as TensorFlow's models do, and the same net for
// images [N, channels, 14, 12].
func channelsLast(t *testing.T, channels int64, batch int64) (last, first *onnxgraph.Model) {
	t.Helper()
	build := func() *onnxgraph.Model {
		m, err := architecture.New("lenet", architecture.Options{Channels: int(channels), ImageHeight: 14, ImageWidth: 12, Width: 3})
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	last, first = build(), build()
	input := last.Graph.Inputs()[0]
	images, err := last.Graph.AddInput("images", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: batch}}, onnxgraph.Static(14, 12, channels)...))
	if err != nil {
		t.Fatal(err)
	}
	moved := last.Graph.AddNode("Transpose", []*onnxgraph.Value{images}, onnxgraph.Ints("perm", 0, 3, 1, 2))
	last.Graph.Insert(last.Graph.Nodes()[0], moved)
	onnxgraph.ReplaceUses(input, moved.Output(0))
	last.Graph.RemoveInput(input)
	return last, first
}

// TestFitChannelsLast fits nets for images in either layout to the same images: they put out the same.
func TestFitChannelsLast(t *testing.T) {
	orttest.Init(t)
	for _, channels := range []int64{1, 3} {
		for _, batch := range []int64{-1, 1, 2} {
			last, first := channelsLast(t, channels, batch)
			shape := []int64{2, channels, 14, 12}
			data := make([]float32, 2*channels*14*12)
			for i := range data {
				data[i] = float32(i%11) / 11
			}
			var results [][]float32
			for _, m := range []*onnxgraph.Model{last, first} {
				fitted, image, err := specialize.Fit(m, shape)
				if err != nil {
					t.Fatal(err)
				}
				if inputs := fitted.Graph.Inputs(); len(inputs) != 1 || inputs[0].Name() != image {
					t.Errorf("the inputs are %v, want %q alone", inputs, image)
				}
				results = append(results, run(t, fitted, onnxgraph.NewTensor(shape, data)))
			}
			if !slices.Equal(results[0], results[1]) {
				t.Errorf("%d channels: %v, channels first %v", channels, results[0], results[1])
			}
		}
	}
}
