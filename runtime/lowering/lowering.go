package lowering

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/blocked"
	"github.com/rcfreeze/rcfreeze/runtime/internal/cuda"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// Operators says on which operators a model runs.
type Operators struct {
	Block  int64  // channels per block of ONNX Runtime's blocked operators, 0 for portable ones
	Reason string // why on portable ones
}

// String describes the operators in words.
func (o Operators) String() string {
	if o.Block == 0 {
		return fmt.Sprintf("portable operators (%s)", o.Reason)
	}
	return fmt.Sprintf("blocked operators, %d channels per block", o.Block)
}

// Lower rewrites a model in place to use the operators that are fastest with the given options: ONNX Runtime's blocked
// operators on the CPU, if the library has them on this machine, else portable ones. Every input must have a static shape;
// convolutions are those whose gradients the model computes.
func Lower(m *onnxgraph.Model, convolutions []gradient.Convolution, o ort.Options) (Operators, error) {
	if err := specialize.Declare(m); err != nil {
		return Operators{}, err
	}
	if o.Provider == ort.CUDA {
		cuda.Lower(m)
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

// BlockSize returns how many channels are in a block of the blocked layout (NCHWc) of ONNX Runtime's CPU provider on this
// machine, 0 if it has none. It finds out by running the operator that changes the layout on the numbers 0, 1, 2, … Init of
// package ort must have been called. It returns an error if that run fails, and no default: with other operators, a model
// computes slightly different numbers.
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
