package rcfreeze

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// tellTrained reports which parameters train in an unexpected way, and which do not train. With rep.Verbose, it lists all that
// train.
func (rep Reporter) tellTrained(m *Model, r train.Recipe) error {
	var converted []string
	for _, name := range r.Trained {
		v := m.Graph.Value(name)
		if trainstep.Widens(v) {
			converted = append(converted, fmt.Sprintf("%s (%v)", name, v.DType()))
		}
		if rep.Verbose {
			rep.say("trains: %s %v", name, v.Constant().Dims())
		}
	}
	if len(converted) > 0 {
		rep.say("these train as float32, and are rounded at the end to the type that they have in the file: %s", onnxgraph.Listed(converted))
	}
	return rep.tellStaying(m, r)
}

// tellStaying reports which parts of a model never train with a recipe, although they may have been learned.
func (rep Reporter) tellStaying(m *Model, r train.Recipe) error {
	out, err := parameter.FindLeftOut(m)
	if err != nil {
		return err
	}
	out.Constants = slices.DeleteFunc(out.Constants, func(name string) bool { return slices.Contains(r.Trained, name) })
	for _, line := range []struct {
		names    []string
		why, how string
	}{
		{out.Quantized, "these weights are quantized", "to train them, train the floating-point model that was quantized"},
		{out.Unsuited, "these parameters are sparse, or made by ConstantOfShape", "store them as ordinary initializers to train them"},
		{out.Nested, "these parameters are in the body of an If, Loop or Scan, or in a function", "to train those in functions, inline the functions"},
		{out.Constants, "these constants come before any weight, or look like parts of formulas", "--train NAME trains one"},
	} {
		if len(line.names) > 0 {
			rep.say("%s, and stay as they are: %s; %s", line.why, onnxgraph.Listed(line.names), line.how)
		}
	}
	if r.BatchNorm == train.BatchNormTrain {
		stay, forget := trainstep.OddMomentum(m)
		if len(stay) > 0 {
			rep.say("the running statistics of these BatchNorms do not move, since their momentum is 1: %s; --batchnorm recalibrate estimates them at the end", onnxgraph.Listed(stay))
		}
		if len(forget) > 0 {
			rep.say("the running statistics of these BatchNorms will be those of the last batch, since their momentum is 0: %s; --batchnorm recalibrate estimates them on all images", onnxgraph.Listed(forget))
		}
	}
	return nil
}
