package batch

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func TestIsChannelsLast(t *testing.T) {
	for _, c := range []struct {
		dims []int64 // 0 is not known
		want bool
	}{
		{[]int64{0, 32, 32, 3}, true},
		{[]int64{1, 224, 224, 4}, true},
		{[]int64{0, 0, 0, 3}, true},
		{[]int64{0, 28, 28, 1}, true},
		{[]int64{0, 3, 32, 32}, false},
		{[]int64{0, 1, 28, 28}, false},
		{[]int64{0, 3, 0, 0}, false},
		{[]int64{0, 0, 0, 0}, false},
		{[]int64{0, 1, 40, 3}, false}, // either: as ONNX has it
		{[]int64{0, 64, 3}, false},
		{[]int64{0, 8, 16, 16, 3}, false},
	} {
		m := onnxgraph.New("net", 8, 18)
		var shape []onnxgraph.Dim
		for _, d := range c.dims {
			if d == 0 {
				d = -1
			}
			shape = append(shape, onnxgraph.Dim{Size: d})
		}
		if _, err := m.Graph.AddInput("x", onnxgraph.Float32, shape); err != nil {
			t.Fatal(err)
		}
		if got := IsChannelsLast(m); got != c.want {
			t.Errorf("%v: %v, want %v", c.dims, got, c.want)
		}
	}
}
