package ort

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"
	"github.com/rcfreeze/rcfreeze/transform/precision"
)

// Run runs the model on one tensor per input and returns the named outputs, or all if none is named.
//
// Run checks the inputs first. The error lists every input that is missing or unknown, or whose element type or shape differs
// from the model's.
//
// The Go wrapper cannot pass some tensors whose element type is not a Go type, and Run fails for them: outputs of such a type
// with more or less than 8 bits, as float16, bfloat16 and int4, if the model leaves their dims open; and inputs or outputs of
// such a type without dims (scalars).
func (s *Session) Run(inputs map[string]*onnxgraph.Tensor, outputs ...string) (map[string]*onnxgraph.Tensor, error) {
	return s.RunContext(context.Background(), inputs, outputs...)
}

// RunContext is like Run, and stops when ctx is done, with ctx's error. ONNX Runtime first finishes the operator that it is
// running.
func (s *Session) RunContext(ctx context.Context, inputs map[string]*onnxgraph.Tensor, outputs ...string) (map[string]*onnxgraph.Tensor, error) {
	results, err := s.run(ctx, inputs, outputs)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err() // ONNX Runtime's error only says that it was told to stop
	}
	if err != nil {
		return nil, fmt.Errorf("running %s: %w", s.model, err)
	}
	return results, nil
}

func (s *Session) run(ctx context.Context, inputs map[string]*onnxgraph.Tensor, outputs []string) (map[string]*onnxgraph.Tensor, error) {
	if s.core == nil {
		return nil, errors.New("the session is closed")
	}
	wanted, err := s.wanted(outputs)
	if err := errors.Join(checkNames(s.inputs, inputs), checkTensors(s.inputs, inputs), err); err != nil {
		return nil, err
	}
	feeds, err := newFeeds(s.inputs, inputs)
	if err != nil {
		return nil, err
	}
	defer destroy(feeds)
	fetches, values, err := s.fetch(ctx, feeds, wanted)
	runtime.KeepAlive(inputs)
	if err != nil {
		return nil, markOutOfMemory(err)
	}
	defer destroy(values)
	results := map[string]*onnxgraph.Tensor{}
	for i, p := range fetches {
		if slices.ContainsFunc(wanted, func(w Port) bool { return w.Name == p.Name }) {
			results[p.Name], err = tensorOf(p.DType, values[i])
			if err != nil {
				return nil, fmt.Errorf("reading output %q: %w", p.Name, err)
			}
		}
	}
	return results, nil
}

// wanted returns the ports of the named outputs, or all ports if no name is given.
func (s *Session) wanted(outputs []string) ([]Port, error) {
	var problems []error
	if len(outputs) == 0 {
		outputs = names(s.outputs)
		for _, other := range s.other {
			problems = append(problems, fmt.Errorf("output %s, which cannot be read: name the outputs to read", other))
		}
	}
	ports := make([]Port, 0, len(outputs))
	for _, name := range outputs {
		p, ok := find(s.outputs, name)
		if !ok {
			problems = append(problems, fmt.Errorf("unknown output %q: the model has %q", name, names(s.outputs)))
		} else if err := readable(p); err != nil {
			problems = append(problems, err)
		}
		ports = append(ports, p)
	}
	if len(ports) == 0 && problems == nil {
		problems = append(problems, errors.New("the model has no outputs"))
	}
	return ports, errors.Join(problems...)
}

// readable returns an error for an output that the wrapper cannot return. If the model leaves dims open and the element type is
// not a Go type, the wrapper allocates only one byte per element.
func readable(p Port) error {
	_, isNative := natives[p.DType]
	if isNative || p.isStatic() || len(p.Shape) > 0 && p.DType.Bits() == 8 {
		return nil
	}
	return fmt.Errorf("output %q is %s, which can be read only with fixed dims: fix them, or take a float32 model: %s", p.Name, describe(p.DType, p.Shape), precision.MakeFloat32)
}

// checkNames returns an error that lists the tensors without an input of their name.
func checkNames(ports []Port, inputs map[string]*onnxgraph.Tensor) error {
	var problems []error
	for _, name := range sortedKeys(inputs) {
		if _, ok := find(ports, name); !ok {
			problems = append(problems, fmt.Errorf("unknown input %q: the model has %q", name, names(ports)))
		}
	}
	return errors.Join(problems...)
}

// checkTensors returns an error that lists the inputs whose tensor is missing, or has another element type or shape.
func checkTensors(ports []Port, inputs map[string]*onnxgraph.Tensor) error {
	var problems []error
	for _, p := range ports {
		t := inputs[p.Name]
		if t == nil {
			problems = append(problems, fmt.Errorf("input %q is missing: it needs %s", p.Name, describe(p.DType, p.Shape)))
		} else if t.DType() != p.DType || !fits(p.Shape, t.Dims()) {
			problems = append(problems, fmt.Errorf("input %q needs %s, got %s", p.Name, describe(p.DType, p.Shape), describe(t.DType(), t.Dims())))
		}
	}
	return errors.Join(problems...)
}

// fits reports whether a port's shape allows the dims. An empty shape allows all.
func fits(shape, dims []int64) bool {
	if len(shape) == 0 {
		return true
	}
	return slices.EqualFunc(shape, dims, func(s, d int64) bool { return s == d || s < 0 })
}

// newFeeds returns the inputs' tensors as values of ONNX Runtime in the order of ports. They share the
// tensors' memory.
func newFeeds(ports []Port, inputs map[string]*onnxgraph.Tensor) ([]capi.Value, error) {
	feeds := make([]capi.Value, 0, len(ports))
	for _, p := range ports {
		t := inputs[p.Name]
		raw, err := t.Raw()
		if err == nil {
			var v capi.Value
			if v, err = newValue(t.DType(), t.Dims(), forRuntime(t.DType(), t.Dims(), raw)); err == nil {
				feeds = append(feeds, v)
				continue
			}
		}
		destroy(feeds)
		return nil, fmt.Errorf("passing input %q: %w", p.Name, err)
	}
	return feeds, nil
}

func destroy(values []capi.Value) {
	for _, v := range values {
		if v != nil {
			v.Destroy()
		}
	}
}
