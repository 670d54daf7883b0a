package ort

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// InputData returns the memory of a plain input, in row-major order; fill it before Step. The memory is zero at first. Every call
// for an input returns the same memory, and steps leave its content as it is. T must be the input's element type. It fails if the
// stepper has no such plain input, or is closed.
func InputData[T onnxgraph.Element](s *Stepper, name string) ([]T, error) {
	b := s.inputs[name]
	if b == nil || s.constant[name] {
		return nil, fmt.Errorf("filling input %q of %s: it is not a plain input", name, s.session.model)
	}
	return dataOf[T](b)
}

// OutputData returns the values of a plain output after the last step, in row-major order. The next step overwrites them. T must
// be the output's element type.
func OutputData[T onnxgraph.Element](s *Stepper, name string) ([]T, error) {
	b := s.outputs[name]
	if b == nil {
		return nil, fmt.Errorf("reading output %q of %s: it is not a plain output", name, s.session.model)
	}
	return dataOf[T](b)
}

func dataOf[T onnxgraph.Element](b *buffer) ([]T, error) {
	var zero T
	if dtype := onnxgraph.NewScalar(zero).DType(); dtype != b.port.DType {
		return nil, fmt.Errorf("using %q: it holds %s, not %v", b.port.Name, describe(b.port.DType, b.dims), dtype)
	}
	raw, err := b.content()
	if err != nil {
		return nil, err
	}
	return elementsOf[T](raw), nil
}

// StateData returns the current value of a state, in row-major order; name is the name of its input. It is valid during the next
// step; the step after that overwrites it. T must be the state's element type.
func StateData[T onnxgraph.Element](s *Stepper, name string) ([]T, error) {
	st := s.states[name]
	if st == nil {
		return nil, fmt.Errorf("reading state %q of %s: there is no such state", name, s.session.model)
	}
	return dataOf[T](st.buffers[s.turn])
}

// SetStates sets the named states to copies of the given tensors, for example to resume a run. Other states stay. If tensors do
// not fit, the error lists all of them, and no state changes.
func (s *Stepper) SetStates(tensors map[string]*onnxgraph.Tensor) error {
	var ports []Port
	contents := map[string][]byte{}
	var problems []error
	for _, name := range sortedKeys(tensors) {
		st := s.states[name]
		if st == nil {
			problems = append(problems, fmt.Errorf("there is no state %q", name))
			continue
		}
		ports = append(ports, st.buffers[0].port)
		if t := tensors[name]; t != nil {
			raw, err := t.Raw()
			problems = append(problems, err)
			contents[name] = raw
		}
	}
	problems = append(problems, checkTensors(ports, tensors))
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("setting states of %s: %w", s.session.model, err)
	}
	for name, raw := range contents {
		copy(s.states[name].buffers[s.turn].raw, raw)
	}
	return nil
}
