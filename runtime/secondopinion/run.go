package secondopinion

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Unavailable is the error of [Run] when the second engine cannot run a model. It says nothing against the
// model.
type Unavailable struct {
	Reasons []string // one text each, see [Check]
}

// Error lists the reasons.
func (u *Unavailable) Error() string {
	return "the second engine cannot run the model: " + strings.Join(u.Reasons, "; ")
}

// Run runs a model in the second engine, in a process of its own, until ctx ends. The model has one input
// and one output, both float32; the dims of input must be those that the model declares. An error is (by
// errors.As) an *Unavailable if the engine cannot run the model or breaks down on it, and (by errors.Is)
// that of ctx if ctx ended before the run.
func Run(ctx context.Context, model string, input *onnxgraph.Tensor) (*onnxgraph.Tensor, error) {
	m, err := onnxgraph.Load(model)
	if err != nil {
		return nil, fmt.Errorf("asking for a second opinion: %w", err)
	}
	if problems := Check(m); len(problems) > 0 {
		return nil, fmt.Errorf("asking for a second opinion on %s: %w", model, &Unavailable{problems})
	}
	in := dataInputs(m.Graph)[0]
	if err := fits(input, in); err != nil {
		return nil, fmt.Errorf("asking for a second opinion on %s: %w", model, err)
	}
	elements, err := input.Raw()
	if err != nil {
		return nil, fmt.Errorf("asking for a second opinion on %s: %w", model, err)
	}
	ask := request{Model: model, Input: in.Name(), Output: m.Graph.Outputs()[0].Name(), Dims: input.Dims()}
	output, err := callChild(ctx, ask, elements)
	if err != nil {
		return nil, fmt.Errorf("asking for a second opinion on %s: %w", model, err)
	}
	return output, nil
}

// fits checks a tensor against what the model declares of the value that it is for.
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

func callChild(ctx context.Context, ask request, elements []byte) (*onnxgraph.Tensor, error) {
	if os.Getenv(childVariable) != "" {
		return nil, errors.New("the program was started as the engine's process but does not call RunChildIfAsked first")
	}
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("finding the program to start: %w", err)
	}
	var in, out, talk bytes.Buffer
	if err := writeMessage(&in, ask, elements); err != nil {
		return nil, err
	}
	child := exec.CommandContext(ctx, program)
	child.Env = append(os.Environ(), childVariable+"=1")
	child.Stdin, child.Stdout, child.Stderr = &in, &out, &talk
	child.WaitDelay = time.Second
	if err := child.Run(); err != nil {
		var broken *exec.ExitError
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("the second engine did not finish: %w", context.Cause(ctx))
		case errors.As(err, &broken):
			return nil, &Unavailable{[]string{fmt.Sprintf("its process broke down (%v): %s", broken, lastWords(talk.String()))}}
		}
		return nil, fmt.Errorf("starting the second engine: %w", err)
	}
	var answer reply
	elements, err = readMessage(&out, &answer)
	if err != nil {
		return nil, fmt.Errorf("reading the second engine's reply: %w; does main call RunChildIfAsked first?", err)
	}
	if answer.Error != "" {
		return nil, &Unavailable{[]string{answer.Error}}
	}
	output, err := newTensor(answer.Dims, elements)
	if err != nil {
		return nil, fmt.Errorf("reading the second engine's output: %w", err)
	}
	return output, nil
}

// lastWords returns the line of a dead process's standard error that tells why it died: that of the panic
// or, if there is none, the last one.
func lastWords(stderr string) string {
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
			return line
		}
	}
	return lines[len(lines)-1]
}
