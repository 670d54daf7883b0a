package secondopinion

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion/protocol"
)

// Unavailable is the error of [Run] if the second engine cannot run a model. The model may still be correct.
type Unavailable struct {
	Reasons []string // see [Check]
}

// Error lists the reasons.
func (u *Unavailable) Error() string {
	return "the second engine cannot run the model: " + strings.Join(u.Reasons, "; ")
}

// Run runs the model in the file at path model in the second engine, in a separate process, and returns its output. The model
// must have one input and one output, both float32, and the dims of input must match the model. Run calls [Check] itself. If the
// engine cannot run the model or crashes, the error is an *Unavailable (errors.As). If ctx ends first, it is ctx's error
// (errors.Is). If the program of the engine is missing, it is the error of [Find]. ONNX Runtime is not needed.
func Run(ctx context.Context, model string, input *onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	m, err := onnxgraph.Load(model)
	if err != nil {
		return nil, fmt.Errorf("asking for a second opinion: %w", err)
	}
	if problems := Check(m); len(problems) > 0 {
		return nil, &Unavailable{problems}
	}
	in := dataInputs(m.Graph)[0]
	if err := fits(input, in); err != nil {
		return nil, err
	}
	elements, err := input.Raw()
	if err != nil {
		return nil, err
	}
	ask := protocol.Request{Model: model, Input: in.Name(), Output: m.Graph.Outputs()[0].Name(), Dims: input.Dims()}
	program, err := Find()
	if err != nil {
		return nil, err
	}
	return callChild(ctx, program, ask, elements)
}

// fits checks a tensor against the declared type of a value.
func fits(t *onnxgraph.Tensor, v *onnxgraph.Value) error {
	shape, _ := v.Shape()
	ok := t.DType() == v.DType() && t.Rank() == len(shape)
	declared := make([]int64, len(shape))
	for i, d := range shape {
		declared[i] = d.Size
		ok = ok && (d.Size < 0 || d.Size == t.Dims()[i])
	}
	if !ok {
		return fmt.Errorf("input %q: got %v of dims %v, the model declares %v of %v (-1 is any)", v.Name(), t.DType(), t.Dims(), v.DType(), declared)
	}
	return nil
}

// callChild starts the program, sends the request, and reads the reply.
func callChild(ctx context.Context, program string, ask protocol.Request, elements []byte) (*onnxgraph.Tensor, error) {
	var in, out, talk bytes.Buffer
	if err := protocol.Write(&in, &ask, elements); err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, program)
	child.Stdin, child.Stdout, child.Stderr = &in, &out, &talk
	child.WaitDelay = time.Second
	failed := child.Run()
	if ctx.Err() != nil {
		return nil, fmt.Errorf("the second engine did not finish: %w", context.Cause(ctx))
	}
	var answer protocol.Reply
	elements, err := protocol.Read(&out, &answer)
	var other *protocol.VersionError
	var broken *exec.ExitError
	switch {
	case errors.As(err, &other) && other.Got != "":
		return nil, fmt.Errorf("%s is of another version than this rcfreeze (it says %q, needed is %q): %s",
			program, other.Got, protocol.Version, howToBuild)
	case errors.As(failed, &broken):
		return nil, &Unavailable{[]string{fmt.Sprintf("its process broke down (%v): %s", broken, lastWords(talk.String()))}}
	case failed != nil:
		return nil, fmt.Errorf("starting the second engine: %w", failed)
	case err != nil:
		return nil, fmt.Errorf("reading the reply of the second engine, %s: %w", program, err)
	case answer.Error != "":
		return nil, &Unavailable{[]string{answer.Error}}
	}
	output, err := newTensor(answer.Dims, elements)
	if err != nil {
		return nil, fmt.Errorf("reading the second engine's output: %w", err)
	}
	return output, nil
}

// newTensor makes a tensor from elements that another process sent, and checks their number.
func newTensor(dims []int64, elements []byte) (*onnxgraph.Tensor, error) {
	size := int64(4)
	for _, d := range dims {
		if d < 0 {
			return nil, fmt.Errorf("dims %v are below 0", dims)
		}
		size *= d
	}
	if size != int64(len(elements)) {
		return nil, fmt.Errorf("dims %v take %d bytes, got %d", dims, size, len(elements))
	}
	return onnxgraph.NewRawTensor(onnxgraph.Float32, dims, elements), nil
}

// lastWords returns the line on standard error that says why a process ended: that of a panic, or else the last one.
func lastWords(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return lines[len(lines)-1]
}
