package rcfreeze

import (
	"context"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform"
)

// InspectOptions say what Inspect finds out about the convolutions of a model.
type InspectOptions struct {
	Blocks  transform.Options // options for the frozen blocks that Convert would make
	Plan    bool              // list how error and size depend on the expansion, for every convolution; this takes long
	Library string            // like Runtime.Library; used only to find shapes that the model does not state
	Reporter
}

// Inspection is the result of Inspect.
type Inspection struct {
	Model        string                 `json:"model"`      // its file
	IRVersion    int64                  `json:"ir_version"` // of the ONNX format
	Opsets       map[string]int64       `json:"opsets"`     // by domain, "" is ONNX's own
	Inputs       []Port                 `json:"inputs"`     // those without a default
	Outputs      []Port                 `json:"outputs"`
	Classes      []string               `json:"classes,omitempty"`   // names recorded in the model, in the order of its outputs
	Normalize    *dataset.Normalization `json:"normalize,omitempty"` // recorded in the model
	Parameters   ParameterCount         `json:"parameters"`
	NotFinite    []onnxgraph.NotFinite  `json:"not_finite,omitempty"` // weights with NaN or infinite elements
	Operators    map[string]int         `json:"operators"`            // numbers of nodes by operator, including nested graphs
	Convolutions []transform.Conversion `json:"convolutions"`         // what Convert would do
	Blocks       []Block                `json:"blocks"`               // the frozen blocks that the model records
	Plan         []transform.Choices    `json:"plan,omitempty"`       // nil without InspectOptions.Plan
}

// Port is an input or output of a model.
type Port struct {
	Name  string   `json:"name"`
	DType string   `json:"dtype"`
	Shape []string `json:"shape"` // sizes and symbols, "?" for unknown dimensions
}

// Block is a frozen block that a model records.
type Block struct {
	Name string `json:"name"`
	transform.Record
}

// Inspect lists what is in a model, and what Convert would do with the same options. If ONNX Runtime is available, it is used to
// infer shapes that the model does not state. If a frozen block differs from its record, for example because another program
// changed its bank, Inspect fails, and the error lists all differences.
func Inspect(ctx context.Context, m *Model, o InspectOptions) (*Inspection, error) {
	if err := o.Validate(); err != nil {
		return nil, err
	}
	m = m.Clone()
	i := &Inspection{
		Model: m.Path(), IRVersion: m.IRVersion(), Opsets: opsets(m), Operators: operators(m), Blocks: []Block{},
		Inputs: ports(slices.DeleteFunc(slices.Clone(m.Graph.Inputs()), hasDefault)), Outputs: ports(m.Graph.Outputs()),
	}
	if err := i.readRecords(m); err != nil {
		return nil, err
	}
	var err error
	if i.Parameters, err = CountParameters(m); err != nil {
		return nil, err
	}
	if i.NotFinite, err = m.NotFinite(); err != nil {
		return nil, err
	}
	if i.Convolutions, err = o.plan(ctx, m); err != nil {
		return nil, err
	}
	if o.Plan {
		if i.Plan, err = transform.PlanChoices(m, o.projectingBlocks(ctx)); err != nil {
			return nil, err
		}
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, err
	}
	for _, b := range blocks {
		i.Blocks = append(i.Blocks, Block{b.Name, b.Record})
	}
	o.tellConversions(i.Convolutions, false, o.Blocks.MaxError > 0)
	return i, nil
}

// Validate returns an error that lists what is wrong with the options, independent of the model.
func (o InspectOptions) Validate() error { return options(o.Blocks.Validate()) }

// readRecords fills in what the model records about its images and classes.
func (i *Inspection) readRecords(m *Model) (err error) {
	if i.Classes, err = Classes(m); err != nil {
		return err
	}
	n, known, err := Normalization(m)
	if known {
		i.Normalize = &n
	}
	return err
}

// plan returns what Convert would do, with the cost of every convolution if it can be found.
func (o InspectOptions) plan(ctx context.Context, m *Model) ([]transform.Conversion, error) {
	unknown, err := o.findShapes(ctx, m, o.Blocks, o.Library)
	if err != nil {
		return nil, fmt.Errorf("inspecting %s: %w", m.Path(), err)
	}
	blocks := o.Blocks
	if blocks.MaxError > 0 {
		blocks = o.projectingBlocks(ctx)
	}
	planned, err := transform.Plan(m, blocks)
	o.warnOfCost(planned, unknown)
	return planned, err
}

// findShapes declares the sizes of convolutions' outputs in the model, if their cost is not known otherwise. unknown says why a
// size could not be found.
func (r Reporter) findShapes(ctx context.Context, m *Model, blocks transform.Options, library string) (unknown, err error) {
	blocks.MaxError, blocks.Progress = 0, nil // no filters are computed yet
	planned, err := transform.Plan(m, blocks)
	if err != nil {
		return nil, err
	}
	if slices.ContainsFunc(planned, func(row transform.Conversion) bool { return row.Before.MACs == 0 }) {
		unknown = inferShapes(ctx, m, library, func() { r.say("running %s once, to find the shapes that it does not state", m.Path()) })
	}
	return unknown, ctx.Err()
}

// warnOfCost reports why the cost of some convolutions is not known.
func (r Reporter) warnOfCost(planned []transform.Conversion, reason error) {
	count := 0
	for _, row := range planned {
		if row.Before.MACs == 0 {
			count++
		}
	}
	switch {
	case count == 0:
	case reason != nil:
		r.say("MACs of %d convolutions are unknown (?): the model does not state its shapes, and ONNX Runtime cannot infer them: %v", count, reason)
	default:
		r.say("MACs of %d convolutions are unknown (?): ONNX Runtime infers shapes only for plain convolutions, not in the body of an operator or in a function", count)
	}
}

// projectingBlocks returns Blocks with progress messages, for work that takes long.
func (o InspectOptions) projectingBlocks(ctx context.Context) transform.Options {
	blocks := o.Blocks
	blocks.Progress = o.projecting(ctx)
	return blocks
}

func hasDefault(v *onnxgraph.Value) bool { return v.Constant() != nil }

func ports(values []*onnxgraph.Value) []Port {
	list := []Port{}
	for _, v := range values {
		dims, ok := v.Shape()
		p := Port{Name: v.Name(), DType: v.DType().String(), Shape: []string{}}
		if !ok {
			p.Shape = []string{"?"}
		}
		for _, d := range dims {
			p.Shape = append(p.Shape, d.String())
		}
		list = append(list, p)
	}
	return list
}

func opsets(m *Model) map[string]int64 {
	versions := map[string]int64{"": m.Opset("")}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			versions[n.Domain()] = m.Opset(n.Domain())
		}
	}
	return versions
}

// operators counts the nodes of all graphs by operator.
func operators(m *Model) map[string]int {
	counts := map[string]int{}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			counts[operatorName(n)]++
		}
	}
	return counts
}

func operatorName(n *onnxgraph.Node) string {
	if n.Domain() == "" {
		return n.OpType()
	}
	return n.Domain() + "." + n.OpType()
}
