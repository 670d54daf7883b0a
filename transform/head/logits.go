package head

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// logitsKey is the key of a model's metadata with the name of the output that has the logits.
const logitsKey = "rcfreeze.logits"

// Choose records in the model's metadata which of its outputs has the logits, so that Logits returns it. It fails if there is no
// output of that name.
func Choose(m *onnxgraph.Model, name string) error {
	if outputNamed(m, name) == nil {
		return errors.Join(fmt.Errorf("choosing the output with the logits of %s: there is no output %q; the outputs are", m.Path(), name), listOutputs(m))
	}
	m.SetMetadata(logitsKey, name)
	return nil
}

// Logits returns the output of a classifier that has one number per class, logits or their Softmax or Sigmoid: the output that
// Choose recorded, if the model still has it, or else the only output. It does not check the output's shape. It fails if the
// model has no outputs, and with a *SeveralOutputsError if it has several.
func Logits(m *onnxgraph.Model) (*onnxgraph.Value, error) {
	outputs := m.Graph.Outputs()
	if name := m.Metadata(logitsKey); name != "" {
		if v := outputNamed(m, name); v != nil {
			return v, nil
		}
	}
	switch len(outputs) {
	case 0:
		return nil, errors.New("the model has no outputs")
	case 1:
		return outputs[0], nil
	}
	return nil, &SeveralOutputsError{m}
}

// SeveralOutputsError says that a model has several outputs, and that none is chosen as its logits.
type SeveralOutputsError struct{ model *onnxgraph.Model }

// Error returns a message that lists the outputs, one on each line.
func (e *SeveralOutputsError) Error() string { return e.Unwrap().Error() }

// Unwrap returns a joined error: one that summarizes, and one for each output.
func (e *SeveralOutputsError) Unwrap() error {
	return errors.Join(fmt.Errorf("%s has several outputs: name the one with the logits (--logits NAME):", e.model.Path()), listOutputs(e.model))
}

func outputNamed(m *onnxgraph.Model, name string) *onnxgraph.Value {
	outputs := m.Graph.Outputs()
	if i := slices.IndexFunc(outputs, func(v *onnxgraph.Value) bool { return v.Name() == name }); i >= 0 {
		return outputs[i]
	}
	return nil
}

// listOutputs returns an error for each output, which says of what type and shape it is.
func listOutputs(m *onnxgraph.Model) error {
	var list []error
	for _, v := range m.Graph.Outputs() {
		shape := "of a shape that the model does not say"
		if dims, ok := v.Shape(); ok {
			shape = describeDims(dims)
		}
		list = append(list, fmt.Errorf("  %s: %v %s", v.Name(), v.DType(), shape))
	}
	return errors.Join(list...)
}

func describeDims(dims []onnxgraph.Dim) string {
	texts := make([]string, len(dims))
	for i, d := range dims {
		switch {
		case d.Size >= 0:
			texts[i] = fmt.Sprint(d.Size)
		case d.Param != "":
			texts[i] = d.Param
		default:
			texts[i] = "?"
		}
	}
	return "[" + strings.Join(texts, ", ") + "]"
}

// LogitsFor returns the outputs of a model that, by their declared shapes, have the given number of classes (see Classes). Of
// outputs that are the same logits without and with a Softmax, LogSoftmax or Sigmoid, it returns only the first. It returns nil
// if there are none.
func LogitsFor(m *onnxgraph.Model, classes int) []*onnxgraph.Value {
	var found []*onnxgraph.Value
	seen := map[*onnxgraph.Value]bool{}
	for _, v := range m.Graph.Outputs() {
		if n := Classes(v); n != classes || n == 0 {
			continue
		}
		scores := v
		if last := LastOperator(v); last != nil && (last.Is("Softmax") || last.Is("LogSoftmax") || last.Is("Sigmoid")) {
			scores = last.Input(0)
		}
		if !seen[scores] {
			seen[scores] = true
			found = append(found, v)
		}
	}
	return found
}

// Classes returns how many classes an output has by its declared shape, [N, classes] or [N, classes, 1, 1]: 2 if it is a single
// number per image, [N, 1] or [N]. It returns 0 if the shape is unknown or different.
func Classes(output *onnxgraph.Value) int {
	dims, ok := output.Shape()
	isNumber := output.DType().IsFloat() || output.DType() == onnxgraph.Undefined
	if !ok || !isNumber || len(dims) != 1 && len(dims) != 2 && len(dims) != 4 {
		return 0
	}
	if len(dims) == 1 {
		if dims[0].Size > 1 && !isBatch(output.Graph(), dims[0].Size) {
			return 0
		}
		return 2
	}
	if slices.ContainsFunc(dims[2:], func(d onnxgraph.Dim) bool { return d.Size != 1 }) {
		return 0
	}
	if dims[1].Size == 1 {
		return 2
	}
	return int(max(dims[1].Size, 0))
}

// isBatch reports whether the first dimension of an input of the graph, which counts images, has the given size.
func isBatch(g *onnxgraph.Graph, size int64) bool {
	return slices.ContainsFunc(g.Inputs(), func(v *onnxgraph.Value) bool {
		dims, _ := v.Shape()
		return len(dims) > 0 && dims[0].Size == size
	})
}

// IsBinary reports whether an output is declared as a single number per image, [N], [N, 1] or [N, 1, 1, 1], as the output of a
// classifier of two classes can be.
func IsBinary(output *onnxgraph.Value) bool {
	dims, _ := output.Shape()
	return Classes(output) == 2 && (len(dims) == 1 || dims[1].Size == 1)
}

// LastOperator returns the node that computes a value. Nodes that only change its shape (Identity, Flatten, Reshape, Squeeze,
// Unsqueeze) do not count: it then returns the node before them. It returns nil if no node computes the value.
func LastOperator(v *onnxgraph.Value) *onnxgraph.Node {
	n := v.Producer()
	for n != nil && n.Domain() == "" && slices.Contains([]string{"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze"}, n.OpType()) {
		if n.Input(0) == nil {
			return nil
		}
		n = n.Input(0).Producer() // elements stay in order
	}
	return n
}
