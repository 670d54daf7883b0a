// Package lowering rewrites a training step, or a model to measure, to use the operators that run fastest on this machine: those
// of ONNX Runtime that work on blocks of channels, on the CPU, or forms that suit its CUDA provider. Call ort.Init first.
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
	Block  int64  // channels per block of ONNX Runtime's blocked operators; 0 if the model runs on portable operators
	Reason string // why the model runs on portable operators; "" otherwise
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
// convolutions are those whose gradients the model computes, nil if it computes none. Call ort.Init first.
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
// machine, 0 if it has none. It finds out by running the operator that changes the layout on the numbers 0, 1, 2, … Call ort.Init
// first. If that run fails, BlockSize returns an error. It does not guess a default, because a model computes slightly different
// numbers with other operators.
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
