package specialize

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Block returns how many channels stand together in the blocked layout of ONNX Runtime's CPU provider on this machine, or
// 0 if it has none. It is seen in what the operator that goes over to the layout does with numbers counted up.
func Block() int64 {
	const channels, width = 64, 2
	m := onnxgraph.New("probe", 8, 18)
	m.SetOpset("com.microsoft.nchwc", 1)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, channels, 1, width))
	if err != nil {
		return 0
	}
	y := m.Graph.AddNodeOf("com.microsoft.nchwc", "ReorderInput", []*onnxgraph.Value{x}, 1).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	data, err := m.Bytes()
	if err != nil {
		return 0
	}
	session, err := ort.OpenBytes(data, ort.Options{})
	if err != nil {
		return 0
	}
	defer session.Close()
	iota := make([]float32, channels*width)
	for i := range iota {
		iota[i] = float32(i)
	}
	out, err := session.Run(map[string]*onnxgraph.Tensor{"x": onnxgraph.NewTensor([]int64{1, channels, 1, width}, iota)})
	if err != nil {
		return 0
	}
	got, err := out[y.Name()].Float32s()
	if err != nil {
		return 0
	}
	// in blocks of b, the first b numbers are those of the first column: 0, 2, 4, ...
	for b, v := range got {
		if v != float32(b*width) {
			return int64(b)
		}
	}
	return 0
}
