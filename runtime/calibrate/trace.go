package calibrate

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
)

// trace runs a network piece by piece on the same batches of images. It keeps the values that the rest of the network needs.
type trace struct {
	model   *onnxgraph.Model // every value has a type
	session ort.Options
	bound   int64                          // limit for the values in memory, in bytes
	nodes   []*onnxgraph.Node              // in topological order
	at      int                            // nodes before this one have been run
	held    []map[string]*onnxgraph.Tensor // for each batch: the values, by name, that the remaining nodes read

	dependent map[*onnxgraph.Value]bool // values that depend on the images
}

func newTrace(fitted *onnxgraph.Model, batches []map[string]*onnxgraph.Tensor, o Options) *trace {
	nodes := fitted.Graph.Sorted()
	return &trace{model: fitted, session: o.Session, bound: cmp.Or(o.Held, defaultHeld), nodes: nodes, held: batches, dependent: fitted.Graph.Dependents(fitted.Graph.Inputs(), nil)}
}

// advance runs the network up to the node that produces the named value, unless the values to keep there take too much memory.
func (t *trace) advance(ctx context.Context, output string) error {
	at, err := t.place(output)
	if err != nil || at <= t.at {
		return err
	}
	live, ok := t.live(at)
	if !ok {
		return nil
	}
	isHeld := func(name string) bool { return t.held[0][name] != nil }
	missing := slices.DeleteFunc(slices.Clone(live), isHeld)
	if len(missing) == 0 {
		return nil // the nodes up to there depend only on constants
	}
	s, err := ort.OpenModel(t.segment(missing...), t.session)
	if err != nil {
		return err
	}
	defer s.Close()
	held := make([]map[string]*onnxgraph.Tensor, len(t.held))
	for i := range held {
		if held[i], err = t.run(ctx, s, i, nil); err != nil {
			return err
		}
		for _, name := range live {
			if isHeld(name) {
				held[i][name] = t.held[i][name]
			}
		}
	}
	t.at, t.held = at, held
	return nil
}

// place returns the index of the node that produces the named value.
func (t *trace) place(value string) (int, error) {
	v := t.model.Graph.Value(value)
	if v == nil || v.Producer() == nil {
		return 0, fmt.Errorf("the model, fitted to the images, does not compute %q: it does not depend on them", value)
	}
	return slices.Index(t.nodes, v.Producer()), nil
}

// live returns the names of the values that earlier nodes make and node number at or later ones read. ok is false if they take
// too much memory.
func (t *trace) live(at int) (names []string, ok bool) {
	later := map[*onnxgraph.Node]bool{}
	for _, n := range t.nodes[at:] {
		later[n] = true
	}
	bytes := int64(0)
	keep := func(v *onnxgraph.Value) {
		if v == nil || !t.dependent[v] || !slices.ContainsFunc(v.Uses(), func(u onnxgraph.Use) bool { return later[outermost(u.Node)] }) {
			return
		}
		shape, static := v.StaticShape()
		size := int64(v.DType().Bits()) * int64(len(t.held)) * onnxgraph.ElementCount(shape)
		if !static {
			size = 8 * (t.bound + 1)
		}
		bytes += size / 8
		names = append(names, v.Name())
	}
	for _, v := range t.model.Graph.Inputs() {
		keep(v)
	}
	for _, n := range t.nodes[:at] {
		for _, v := range n.Outputs() {
			keep(v)
		}
	}
	return names, bytes <= t.bound
}

// outermost returns n, or the node of the main graph that n is nested in.
func outermost(n *onnxgraph.Node) *onnxgraph.Node {
	for n.Graph().Owner() != nil {
		n = n.Graph().Owner()
	}
	return n
}

// segment returns a model that computes the named values from the values in memory.
func (t *trace) segment(outputs ...string) *onnxgraph.Model {
	m := t.model.Clone()
	g := m.Graph
	g.RemoveOutputs()
	for _, name := range outputs {
		v := t.model.Graph.Value(name)
		shape, _ := v.StaticShape()
		g.AddOutput(g.Value(name), v.DType(), onnxgraph.Static(shape...))
	}
	for _, v := range g.Inputs() {
		if t.held[0][v.Name()] == nil {
			g.MakeConstant(v, onnxgraph.NewScalar[float32](0)) // nothing reads it anymore
		}
	}
	for name, value := range t.held[0] {
		if v := g.Value(name); !v.IsInput() {
			g.MakeConstant(v, value)
			g.MakeInput(v)
		}
	}
	g.Prune()
	return m
}

// run runs a session of a segment on a batch. Its inputs are values in memory, and others.
func (t *trace) run(ctx context.Context, s *ort.Session, batch int, others map[string]*onnxgraph.Tensor) (map[string]*onnxgraph.Tensor, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	inputs := map[string]*onnxgraph.Tensor{}
	for _, p := range s.Inputs() {
		inputs[p.Name] = t.held[batch][p.Name]
		if other, ok := others[p.Name]; ok {
			inputs[p.Name] = other
		}
	}
	return s.Run(inputs)
}

// replace replaces the filters of the layer's convolution, and adds an offset to its outputs.
func (t *trace) replace(l transform.Layer, filters, offset []float64) error {
	n := t.model.Graph.Value(l.Node.Output(0).Name()).Producer()
	dtype := n.Input(1).DType()
	dims := []int64{int64(l.Out), int64(l.In / l.Groups)}
	for _, k := range l.Kernel {
		dims = append(dims, int64(k))
	}
	w, err := onnxgraph.FromFloat64s(dtype, dims, filters)
	if err != nil {
		return err
	}
	n.SetInput(1, t.model.Graph.AddConstant(l.Name, w))
	n.RemoveAttr("auto_pad", "dilations", "pads", "strides", "kernel_shape")
	n.SetAttr(l.Window...)
	n.SetAttr(onnxgraph.Ints("kernel_shape", dims[2:]...))
	if offset == nil {
		return nil
	}
	b, err := onnxgraph.FromFloat64s(dtype, []int64{int64(l.Out)}, offset)
	if err != nil {
		return err
	}
	bias := t.model.Graph.AddConstant(l.Name, b)
	if old := n.Input(2); old != nil {
		bias = t.model.Graph.AddNode("Add", []*onnxgraph.Value{old, bias}).Output(0)
	}
	n.SetInput(2, bias)
	return nil
}
