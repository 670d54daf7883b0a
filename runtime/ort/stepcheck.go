package ort

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// checkStep returns an error that lists all reasons why a session cannot be used by a Stepper.
func checkStep(session *Session, pairs []Pair, initial map[string]*onnxgraph.Tensor) error {
	if session.core == nil {
		return errors.New("the session is closed")
	}
	problems := []error{checkPairs(session, pairs), checkNames(session.inputs, initial)}
	isState := map[string]bool{}
	for _, pair := range pairs {
		isState[pair.Input] = true
	}
	var given []Port // the inputs that start with a tensor of initial
	for _, p := range session.inputs {
		if initial[p.Name] != nil || isState[p.Name] {
			given = append(given, p)
		}
		if isConstant := initial[p.Name] != nil && !isState[p.Name]; !p.isStatic() && !isConstant {
			problems = append(problems, fmt.Errorf("input %q is %s: a step needs fixed dims, and at least one: fix the batch size, and give scalars dims [1]", p.Name, describe(p.DType, p.Shape)))
		}
	}
	problems = append(problems, checkTensors(given, initial))
	for _, p := range session.outputs {
		if len(p.Shape) > 0 && !p.isStatic() {
			problems = append(problems, fmt.Errorf("output %q is %s: a step needs fixed dims: fix the batch size", p.Name, describe(p.DType, p.Shape)))
		}
	}
	return errors.Join(problems...)
}

// checkPairs returns an error that lists the pairs that do not name an input and an output of one type, or that use one twice.
func checkPairs(session *Session, pairs []Pair) error {
	var problems []error
	for i, pair := range pairs {
		in, okIn := find(session.inputs, pair.Input)
		out, okOut := find(session.outputs, pair.Output)
		repeated := slices.ContainsFunc(pairs[:i], func(q Pair) bool { return q.Input == pair.Input || q.Output == pair.Output })
		switch {
		case !okIn:
			problems = append(problems, fmt.Errorf("state %q: the model has no such input, only %q", pair.Input, names(session.inputs)))
		case !okOut:
			problems = append(problems, fmt.Errorf("state %q: the model has no output %q, only %q", pair.Input, pair.Output, names(session.outputs)))
		case repeated:
			problems = append(problems, fmt.Errorf("state %q: its input or its output %q is in two pairs", pair.Input, pair.Output))
		case in.DType != out.DType || !slices.Equal(in.Shape, out.Shape):
			problems = append(problems, fmt.Errorf("state %q is %s, but its output %q is %s", pair.Input, describe(in.DType, in.Shape), pair.Output, describe(out.DType, out.Shape)))
		}
	}
	return errors.Join(problems...)
}
