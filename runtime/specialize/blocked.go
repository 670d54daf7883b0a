package specialize

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/blocked"
	"github.com/rcfreeze/rcfreeze/runtime/internal/cuda"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Operators says on which operators a model runs.
type Operators struct {
	Block  int64  // how many channels stand together in ONNX Runtime's blocked operators, 0 on portable ones
	Reason string // why on portable ones
}

// String says it in words.
func (o Operators) String() string {
	if o.Block == 0 {
		return fmt.Sprintf("portable operators (%s)", o.Reason)
	}
	return fmt.Sprintf("blocked operators, %d channels per block", o.Block)
}

// Lower puts a model on the operators that are fastest where sessions with the given options run it, in place: on the CPU on
// ONNX Runtime's blocked ones, if the library has them on this machine, else on portable ones. Every input must have a static
// shape; convolutions are those that were differentiated in it.
func Lower(m *onnxgraph.Model, convolutions []gradient.Convolution, o ort.Options) (Operators, error) {
	if err := declare(m); err != nil {
		return Operators{}, err
	}
	if o.Provider == ort.CUDA {
		cuda.Adapt(m)
		return Operators{Reason: "on provider cuda"}, nil
	}
	block, err := BlockSize()
	if err != nil {
		return Operators{}, err
	}
	if block == 0 {
		return Operators{Reason: "ONNX Runtime has no blocked ones for this CPU"}, nil
	}
	blocked.Lower(m, convolutions, block)
	return Operators{Block: block}, nil
}

// BlockSize returns how many channels stand together in the blocked layout of ONNX Runtime's CPU provider on this machine,
// 0 if it has none: it is seen in where the operator that goes over to the layout puts numbers counted up. Init of package
// ort must have been called. The error is that of a probe that could not be made: on other operators than those that the machine
// has, a model computes something slightly different.
func BlockSize() (int64, error) {
	size, err := probe()
	if err != nil {
		return 0, fmt.Errorf("finding out which operators ONNX Runtime has for this CPU: %w", err)
	}
	return size, nil
}

func probe() (int64, error) {
	const channels, width = 64, 2
	m := onnxgraph.New("probe", 8, 18)
	m.SetOpset(blocked.Domain, 1)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, channels, 1, width))
	if err != nil {
		return 0, err
	}
	y := m.Graph.AddNodeOf(blocked.Domain, "ReorderInput", []*onnxgraph.Value{x}, 1).Output(0)
	m.Graph.AddOutput(y, onnxgraph.Float32, nil)
	counted := make([]float32, channels*width)
	for i := range counted {
		counted[i] = float32(i)
	}
	file, err := m.StageTemporarily(onnxgraph.ExternalNone)
	if err != nil {
		return 0, err
	}
	session, refused := ort.Open(file.Path(), ort.Options{})
	if err := file.Abandon(); err != nil {
		return 0, err
	}
	if errors.Is(refused, ort.ErrOutOfMemory) {
		return 0, refused
	}
	if refused != nil {
		return 0, nil // it does not know the operator
	}
	defer session.Close()
	out, err := session.Run(map[string]*onnxgraph.Tensor{"x": onnxgraph.NewTensor([]int64{1, channels, 1, width}, counted)})
	if err != nil {
		return 0, err
	}
	got, err := out[y.Name()].Float32s()
	if err != nil {
		return 0, err
	}
	// a block holds the first column of its channels, then the second: 0, 2, 4, …, 1, 3, 5, …
	return int64(max(0, slices.Index(got, 1))), nil
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
