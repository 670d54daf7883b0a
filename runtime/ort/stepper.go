package ort

import (
	"errors"
	"fmt"
	"runtime"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Pair names one state of a step model: the input for its value before the step, and the output with its value after the step.
type Pair struct{ Input, Output string }

// Stepper runs a model repeatedly. The states that one step returns are inputs of the next step, without a copy: every state has
// two buffers that take turns. A Stepper is not safe for concurrent use.
type Stepper struct {
	session  *Session
	states   map[string]*state  // by input name
	inputs   map[string]*buffer // plain inputs, and constants
	outputs  map[string]*buffer // plain outputs
	constant map[string]bool    // inputs that are never changed
	bindings [2]*capi.IoBinding
	turn     int      // which of the two bindings runs next: it reads buffers[turn] of every state
	owned    *Session // the session, if Close must also close it
}

// state is a value that each step replaces. Binding i reads buffers[i] and writes the other buffer.
type state struct {
	output  string
	buffers [2]*buffer
}

// OpenStepper opens a session for a model, and makes a stepper as NewStepper does. Closing the stepper closes the session.
//
// If m declares fixed dims for all inputs and outputs, OpenStepper trusts them and does not ask ONNX Runtime. This saves about a
// quarter of the time, because asking takes a session of its own. A step fails if an output turns out to have other dims.
func OpenStepper(m *onnxgraph.Model, pairs []Pair, initial map[string]*onnxgraph.Tensor, o Options) (*Stepper, error) {
	o.noMemoryPattern, o.declared = true, m
	session, err := OpenModel(m, o)
	if err != nil {
		return nil, err
	}
	s, err := NewStepper(session, pairs, initial)
	if err != nil {
		return nil, errors.Join(err, session.Close())
	}
	s.owned = session
	return s, nil
}

// NewStepper makes a stepper for a session. The states named by pairs start with their tensors in initial. Other inputs in
// initial are constants. All remaining inputs are plain: fill their memory (InputData) before each step. Read plain outputs with
// OutputData.
//
// All shapes must be fixed, except those of constants. Scalars (no dims) can only be constants or plain outputs: states and plain
// inputs need dims [1]. The error lists all inputs and outputs that do not meet these rules.
//
// The session must stay open until the stepper is closed. The caller must close it.
func NewStepper(session *Session, pairs []Pair, initial map[string]*onnxgraph.Tensor) (*Stepper, error) {
	s := &Stepper{
		session: session, states: map[string]*state{}, inputs: map[string]*buffer{},
		outputs: map[string]*buffer{}, constant: map[string]bool{},
	}
	err := checkStep(session, pairs, initial)
	if err == nil {
		err = s.allocate(pairs, initial)
	}
	if err == nil {
		err = s.bind()
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("preparing steps of %s: %w", session.model, markOutOfMemory(err))
	}
	return s, nil
}

// allocate makes the buffers.
func (s *Stepper) allocate(pairs []Pair, initial map[string]*onnxgraph.Tensor) error {
	var problems []error
	checked := func(b *buffer, err error) *buffer {
		problems = append(problems, err)
		return b
	}
	written := map[string]bool{} // the outputs that are states
	for _, pair := range pairs {
		p, _ := find(s.session.inputs, pair.Input)
		written[pair.Output] = true
		s.states[pair.Input] = &state{pair.Output, [2]*buffer{
			checked(newTensorBuffer(p, initial[pair.Input])), checked(newPortBuffer(p)),
		}}
	}
	for _, p := range s.session.inputs {
		if t := initial[p.Name]; s.states[p.Name] != nil {
			continue
		} else if t != nil {
			s.inputs[p.Name], s.constant[p.Name] = checked(newTensorBuffer(p, t)), true
		} else {
			s.inputs[p.Name] = checked(newPortBuffer(p))
		}
	}
	for _, p := range s.session.outputs {
		if !written[p.Name] {
			s.outputs[p.Name] = checked(newPortBuffer(p))
		}
	}
	return errors.Join(problems...)
}

// bind creates the two bindings.
func (s *Stepper) bind() error {
	for turn := range s.bindings {
		binding, err := s.session.core.CreateIoBinding()
		if err != nil {
			return err
		}
		s.bindings[turn] = binding
		for name, b := range s.inputs {
			if err := binding.BindInput(name, b.value); err != nil {
				return fmt.Errorf("binding input %q: %w", name, err)
			}
		}
		for name, b := range s.outputs {
			if err := binding.BindOutput(name, b.value); err != nil {
				return fmt.Errorf("binding output %q: %w", name, err)
			}
		}
		for name, st := range s.states {
			if err := binding.BindInput(name, st.buffers[turn].value); err != nil {
				return fmt.Errorf("binding state %q: %w", name, err)
			}
			if err := binding.BindOutput(st.output, st.buffers[1-turn].value); err != nil {
				return fmt.Errorf("binding state %q: %w", st.output, err)
			}
		}
	}
	return nil
}

// Step runs the model once on the current states and plain inputs. The states that it returns become the current ones. After an
// error, the states are unchanged, and plain outputs are undefined.
func (s *Stepper) Step() error {
	if s.bindings[s.turn] == nil || s.session.core == nil {
		return fmt.Errorf("running a step of %s: the stepper or its session is closed", s.session.model)
	}
	err := s.refresh()
	if err == nil {
		err = s.session.core.RunWithBinding(s.bindings[s.turn])
	}
	runtime.KeepAlive(s)
	if err != nil {
		return fmt.Errorf("running a step of %s: %w", s.session.model, markOutOfMemory(err))
	}
	s.turn = 1 - s.turn
	return nil
}

// refresh binds inputs again that changed since the last step, on a provider where binding an input copies it.
func (s *Stepper) refresh() error {
	if !s.session.rebind {
		return nil
	}
	binding := s.bindings[s.turn]
	for name, b := range s.inputs {
		if s.constant[name] {
			continue
		}
		if err := binding.BindInput(name, b.value); err != nil {
			return fmt.Errorf("binding input %q: %w", name, err)
		}
	}
	for name, st := range s.states {
		if err := binding.BindInput(name, st.buffers[s.turn].value); err != nil {
			return fmt.Errorf("binding state %q: %w", name, err)
		}
	}
	return nil
}

// Close frees the stepper's memory in ONNX Runtime, and its session if OpenStepper made it. Slices that InputData, OutputData and
// StateData returned stay valid, with their content; the stepper no longer uses them. A second call does nothing.
func (s *Stepper) Close() error {
	var problems []error
	for i, binding := range s.bindings {
		if binding != nil {
			problems = append(problems, binding.Destroy())
			s.bindings[i] = nil
		}
	}
	for _, b := range s.allBuffers() {
		if b != nil {
			problems = append(problems, b.value.Destroy())
		}
	}
	s.states, s.inputs, s.outputs = nil, nil, nil
	if s.owned != nil {
		problems = append(problems, s.owned.Close())
		s.owned = nil
	}
	return errors.Join(problems...)
}

func (s *Stepper) allBuffers() []*buffer {
	var all []*buffer
	for _, b := range s.inputs {
		all = append(all, b)
	}
	for _, b := range s.outputs {
		all = append(all, b)
	}
	for _, st := range s.states {
		all = append(all, st.buffers[:]...)
	}
	return all
}
