package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/cobra"
)

// inspectCommand tells what is in a model.
type inspectCommand struct {
	*printer
	conversion conversionFlags
	runtime    runtimeFlags
	choices    bool
}

// inspectResult is what inspect prints as JSON.
type inspectResult struct {
	Model        string                 `json:"model"`
	IRVersion    int64                  `json:"ir_version"`
	Opsets       map[string]int64       `json:"opsets"` // by domain, "" is ONNX's own
	Inputs       []port                 `json:"inputs"`
	Outputs      []port                 `json:"outputs"`
	Classes      []string               `json:"classes,omitempty"`   // that the model records, in the order of its outputs
	Normalize    *normalization         `json:"normalize,omitempty"` // that the model records
	Parameters   parameterCount         `json:"parameters"`
	NotFinite    []onnxgraph.NotFinite  `json:"not_finite,omitempty"` // the weights that hold NaN or infinity
	Operators    map[string]int         `json:"operators"`            // nodes by operator, those of nested graphs too
	Convolutions []transform.Conversion `json:"convolutions"`
	Blocks       []blockFacts           `json:"blocks"` // whose banks are as recorded
	Plan         []transform.Choices    `json:"plan,omitempty"`
}

// port is an input or output of a model.
type port struct {
	Name  string   `json:"name"`
	DType string   `json:"dtype"`
	Shape []string `json:"shape"` // sizes and symbols, "?" for what is not known
}

// blockFacts is a frozen block that the model records.
type blockFacts struct {
	Name string `json:"name"`
	transform.Record
}

func newInspect(p *printer) *cobra.Command {
	c := inspectCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what is in a model, and what convert would change",
		Long: `Show what is in a model: inputs, outputs, operators, parameters, frozen blocks, and every convolution, with what
convert would make of it. Flags about blocks are the same as those of convert. Nothing is written.`,
		Example: `# List the convolutions, and which of them convert would rewrite
rcfreeze inspect model.onnx
# Also show how error and size depend on the number of fixed filters
rcfreeze inspect model.onnx --plan
# Print all of it as JSON, for another program
rcfreeze inspect model.onnx --json`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.conversion.add(cmd.Flags())
	c.runtime.addLibrary(cmd.Flags())
	cmd.Flags().BoolVar(&c.choices, "plan", false, "also print how error and size depend on --expansion, for each convolution")
	return cmd
}

func (c *inspectCommand) run(ctx context.Context, path string) error {
	if err := usage(c.conversion.settle()); err != nil {
		return err
	}
	go ort.Init(c.runtime.library) // takes longer than to read the model, which most often does not say its shapes
	m, err := c.load(path)
	if err != nil {
		return err
	}
	r := inspectResult{
		Model: m.Path(), IRVersion: m.IRVersion(), Opsets: opsets(m), Operators: operators(m), Blocks: []blockFacts{},
		Inputs: ports(slices.DeleteFunc(slices.Clone(m.Graph.Inputs()), hasDefault)), Outputs: ports(m.Graph.Outputs()),
	}
	if err := r.readRecords(m); err != nil {
		return err
	}
	if r.Parameters, err = countParameters(m); err != nil {
		return err
	}
	if r.NotFinite, err = m.NotFinite(); err != nil {
		return err
	}
	if r.Convolutions, err = c.plan(ctx, m); err != nil {
		return err
	}
	if c.choices {
		if r.Plan, err = transform.PlanChoices(m, c.projecting(ctx)); err != nil {
			return err
		}
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		return err
	}
	for _, b := range blocks {
		r.Blocks = append(r.Blocks, blockFacts{b.Name, b.Record})
	}
	c.tellConversions(r.Convolutions, c.conversion.options.MaxError == 0)
	return c.result(r, func() { c.print(r) })
}

// readRecords fills in what the model records of its images and classes.
func (r *inspectResult) readRecords(m *onnxgraph.Model) (err error) {
	if r.Classes, err = recordedClasses(m); err != nil {
		return err
	}
	n, known, err := recordedNormalization(m)
	if known {
		r.Normalize = (*normalization)(&n)
	}
	return err
}

// plan returns what convert would do, with the cost of every convolution if it can be known.
func (c *inspectCommand) plan(ctx context.Context, m *onnxgraph.Model) ([]transform.Conversion, error) {
	o := c.conversion.options
	o.MaxError = 0 // nothing is calculated yet
	planned, err := transform.Plan(m, o)
	if err != nil {
		return nil, err
	}
	var unknown error
	if slices.ContainsFunc(planned, func(row transform.Conversion) bool { return row.Before.MACs == 0 }) {
		running := func() { c.say("running %s once, for the shapes that it does not say", m.Path()) }
		unknown = inferShapes(ctx, m, c.runtime.library, running)
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("inspecting %s: %w", m.Path(), err)
		}
	}
	o = c.conversion.options
	if o.MaxError > 0 {
		o = c.projecting(ctx)
	}
	planned, err = transform.Plan(m, o)
	c.warnOfCost(planned, unknown)
	return planned, err
}

// warnOfCost says why the cost of some convolutions is not known, if it is not.
func (c *inspectCommand) warnOfCost(planned []transform.Conversion, reason error) {
	count := 0
	for _, row := range planned {
		if row.Before.MACs == 0 {
			count++
		}
	}
	switch {
	case count == 0:
	case reason != nil:
		c.say("MACs of %d convolutions are not known (?): the model does not say its shapes, and ONNX Runtime cannot tell them: %v", count, reason)
	default:
		c.say("MACs of %d convolutions are not known (?): ONNX Runtime tells shapes only of plain convolutions that are not in the body of an operator or in a function", count)
	}
}

// projecting returns the options for work that takes long.
func (c *inspectCommand) projecting(ctx context.Context) transform.Options {
	o := c.conversion.options
	o.Progress = c.progress().projecting(ctx)
	return o
}

func hasDefault(v *onnxgraph.Value) bool { return v.Constant() != nil }

func ports(values []*onnxgraph.Value) []port {
	list := []port{}
	for _, v := range values {
		dims, ok := v.Shape()
		p := port{Name: v.Name(), DType: v.DType().String(), Shape: []string{}}
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

func opsets(m *onnxgraph.Model) map[string]int64 {
	versions := map[string]int64{"": m.Opset("")}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			versions[n.Domain()] = m.Opset(n.Domain())
		}
	}
	return versions
}

// operators counts the nodes of all graphs by operator.
func operators(m *onnxgraph.Model) map[string]int {
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

func (c *inspectCommand) print(r inspectResult) {
	facts := [][2]string{{"file", r.Model}, {"IR version", fmt.Sprint(r.IRVersion)}}
	for _, domain := range slices.Sorted(maps.Keys(r.Opsets)) {
		facts = append(facts, [2]string{"operators of " + cmp.Or(domain, "ai.onnx"), fmt.Sprint("version ", r.Opsets[domain])})
	}
	for _, p := range r.Inputs {
		facts = append(facts, [2]string{"input", p.String()})
	}
	for _, p := range r.Outputs {
		facts = append(facts, [2]string{"output", p.String()})
	}
	if r.Classes != nil {
		facts = append(facts, [2]string{"classes", fmt.Sprintf("%d: %s", len(r.Classes), onnxgraph.Listed(r.Classes))})
	}
	if r.Normalize != nil {
		facts = append(facts, [2]string{"normalization", r.Normalize.String()})
	}
	facts = append(facts, [2]string{"parameters", r.Parameters.String()}, [2]string{"nodes", operatorList(r.Operators)})
	if len(r.NotFinite) > 0 {
		facts = append(facts, [2]string{"NaN, infinity", listNotFinite(r.NotFinite)})
	}
	c.facts(facts...)
	c.conversions(r.Convolutions)
	c.plans(r.Plan)
	if len(r.Blocks) == 0 {
		return
	}
	var rows []tableRow
	for _, b := range r.Blocks {
		rows = append(rows, tableRow{b.Name, b.Bank, string(b.Layout), count(b.Expansion), string(b.Between), string(b.Pointwise), number(fmt.Sprint(b.Seed)), "as recorded"})
	}
	c.table(tableRow{"frozen block", "bank", "layout", expansionHeader, "between", "pointwise", "seed", "bank's SHA-256"}, rows)
}

func (p port) String() string {
	return fmt.Sprintf("%s: %s [%s]", p.Name, p.DType, strings.Join(p.Shape, ", "))
}

// operatorList writes counts by operator, the most frequent first.
func operatorList(counts map[string]int) string {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	for i, name := range names {
		names[i] = fmt.Sprintf("%d %s", counts[name], name)
	}
	return strings.Join(names, ", ")
}
