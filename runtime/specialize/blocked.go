package specialize

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/blocked"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Lower puts a model on ONNX Runtime's blocked operators, in place, if sessions with the given options run it on the CPU and
// the library has them on this machine. It returns the number of channels in a block, 0 if the model stays as it is. Every
// input must have a static shape; convolutions are those that were differentiated in it.
func Lower(m *onnxgraph.Model, convolutions []gradient.Convolution, o ort.Options) (block int64, err error) {
	if o.Provider != "" && o.Provider != ort.CPU {
		return 0, nil
	}
	if block = BlockSize(); block == 0 {
		return 0, nil
	}
	if err := declareFrom(m, m.Clone()); err != nil {
		return 0, fmt.Errorf("inferring the shapes of %s: %w", m.Path(), err)
	}
	blocked.Lower(m, convolutions, block)
	return block, nil
}

// BlockSize returns how many channels stand together in the blocked layout of ONNX Runtime's CPU provider on this machine,
// 0 if it has none: it is seen in where the operator that goes over to the layout puts numbers counted up. Init of package
// ort must have been called.
func BlockSize() int64 {
	const channels, width = 64, 2
	m := onnxgraph.New("probe", 8, 18)
	m.SetOpset(blocked.Domain, 1)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, channels, 1, width))
	if err != nil {
		return 0
	}
	y := m.Graph.AddNodeOf(blocked.Domain, "ReorderInput", []*onnxgraph.Value{x}, 1).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	counted := make([]float32, channels*width)
	for i := range counted {
		counted[i] = float32(i)
	}
	out, err := outputs(m, "x", onnxgraph.NewTensor([]int64{1, channels, 1, width}, counted))
	if err != nil {
		return 0
	}
	got, err := out[y.Name()].Float32s()
	if err != nil {
		return 0
	}
	// a block holds the first column of its channels, then the second: 0, 2, 4, …, 1, 3, 5, …
	return int64(max(0, slices.Index(got, 1)))
}

// exposeAll makes every value that a node of the main graph produces an output.
func exposeAll(m *onnxgraph.Model) {
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && !v.IsOutput() {
				m.Graph.AddOutput(v, onnxgraph.Undefined, nil)
			}
		}
	}
}
