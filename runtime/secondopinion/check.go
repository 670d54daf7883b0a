package secondopinion

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// The operators of the white list mean the same in all these opsets. The engine ignores the opset, and before version 7, Add and
// Mul broadcast differently.
const minOpset, maxOpset = 7, 24

// Check returns the reasons why the second engine cannot run a model. There is one text per kind of reason, with the operator and
// all nodes concerned. It returns nil if it finds no reason. Some reasons depend on shapes that are not known: [Run] may then
// still fail, but never gives a wrong result.
func Check(m *onnxgraph.Model) []string {
	var all reasons
	all.checkModel(m)
	for _, n := range m.Graph.Nodes() {
		if problem := nodeProblem(n); problem != "" {
			all.add(n.OpType()+": "+problem, n.Label())
		}
	}
	return all.texts()
}

// nodeProblem says what the engine would compute wrongly for a node, "" if nothing.
func nodeProblem(n *onnxgraph.Node) string {
	row, listed := whiteList[n.OpType()]
	ins := n.Inputs()
	switch {
	case !listed || n.Domain() != "":
		return "not an operator that the engine is known to compute rightly"
	case len(ins) < row.minInputs || len(ins) > row.maxInputs || slices.Contains(ins, nil):
		return "optional inputs that the engine does not have, or that it needs"
	case len(n.Outputs()) != 1 || n.Output(0) == nil:
		return "not exactly one output"
	}
	for i, v := range ins {
		if slices.Contains(ins[:i], v) {
			return "the same value as two inputs, of which the engine sees one"
		}
	}
	if problem := row.rule(n); problem != "" {
		return problem
	}
	return constantProblem(n)
}

// constantProblem says what is wrong with the constants that a node reads.
func constantProblem(n *onnxgraph.Node) string {
	for i, v := range n.Inputs() {
		t := constantOf(v)
		switch {
		case t == nil:
		case t.DType() != inputType(n, i):
			return fmt.Sprintf("a constant of type %v", t.DType())
		case t.Rank() < 2 && !slices.Contains(takesVectors, n.OpType()):
			return "a constant with fewer than two dims"
		}
	}
	return ""
}

// constantOf returns the data of a constant, also behind Identity nodes; nil for other values.
func constantOf(v *onnxgraph.Value) *onnxgraph.Tensor {
	for v != nil && v.Producer() != nil && v.Producer().Is("Identity") {
		v = v.Producer().Input(0)
	}
	if v == nil {
		return nil
	}
	return v.Constant()
}

// inputType returns the only element type that is known to work as input i of n.
func inputType(n *onnxgraph.Node, i int) onnxgraph.DType {
	if n.Is("Reshape") && i == 1 {
		return onnxgraph.Int64
	}
	return onnxgraph.Float32
}

func (r *reasons) checkModel(m *onnxgraph.Model) {
	if v := m.Opset(""); v < minOpset || v > maxOpset {
		r.add(fmt.Sprintf("operator set %d; the engine's results are known for %d to %d", v, minOpset, maxOpset), "")
	}
	ins, outs := dataInputs(m.Graph), m.Graph.Outputs()
	if len(ins) != 1 || len(outs) != 1 {
		r.add(fmt.Sprintf("%d inputs and %d outputs; only models with one of each are compared", len(ins), len(outs)), "")
	}
	for _, v := range ins {
		if shape, _ := v.Shape(); v.DType() != onnxgraph.Float32 || len(shape) < 2 { // shape is nil if it is not declared
			r.add("an input that is not declared float32 with two dims or more", v.Name())
		}
	}
	for _, v := range outs {
		if len(v.Uses()) > 0 || v.Producer() == nil {
			r.add("an output that nodes read or that none computes, which the engine does not give back", v.Name())
		}
	}
	for _, v := range m.Graph.Initializers() {
		if t := v.Constant(); t == nil {
			r.add("a sparse constant", v.Name())
		} else if t.IsExternal() {
			r.add("data in another file, which the engine does not read", v.Name())
		}
	}
}

// dataInputs returns the graph's inputs that have no default.
func dataInputs(g *onnxgraph.Graph) []*onnxgraph.Value {
	var ins []*onnxgraph.Value
	for _, v := range g.Inputs() {
		if v.Constant() == nil {
			ins = append(ins, v)
		}
	}
	return ins
}

// reasons collects problems in the order in which they are found, and for each problem the nodes or values that have it.
type reasons struct {
	problems []string
	where    map[string][]string
}

func (r *reasons) add(problem, where string) {
	if r.where == nil {
		r.where = map[string][]string{}
	}
	if _, met := r.where[problem]; !met {
		r.problems = append(r.problems, problem)
	}
	r.where[problem] = append(r.where[problem], where)
}

func (r *reasons) texts() []string {
	var texts []string
	for _, problem := range r.problems {
		if where := strings.Join(r.where[problem], ", "); where != "" {
			problem += " (" + where + ")"
		}
		texts = append(texts, problem)
	}
	return texts
}
