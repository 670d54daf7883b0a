package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/spf13/cobra"
)

// inspectCommand tells what is in a model.
type inspectCommand struct {
	*printer
	options    rcfreeze.InspectOptions
	conversion conversionFlags
}

func newInspect(p *printer) *cobra.Command {
	c := inspectCommand{printer: p}
	cmd := &cobra.Command{
		Use:   "inspect MODEL",
		Short: "Show what is in a model, and what convert would change",
		Long: `Show what is in a model: inputs, outputs, operators, parameters, frozen blocks, and every convolution, with what
convert would make of it. Flags for blocks are those of convert. Nothing is written, and no images are read: with
--pointwise calibrate, the table has the sizes of blocks, but not their errors.`,
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
	addLibrary(cmd.Flags(), &c.options.Library)
	cmd.Flags().BoolVar(&c.options.Plan, "plan", false, "also print how error and size depend on --expansion, for each convolution")
	return cmd
}

func (c *inspectCommand) run(ctx context.Context, path string) error {
	err := usage(c.conversion.settle())
	o := c.options
	o.Blocks, o.Reporter = c.conversion.options, c.reporter()
	go ort.Init(o.Library) // takes longer than to read the model, which most often does not say its shapes
	return perform(ctx, c.printer, path, err, o, rcfreeze.Inspect, c.print)
}

func (c *inspectCommand) print(r *rcfreeze.Inspection) {
	facts := [][2]string{{"file", r.Model}, {"IR version", fmt.Sprint(r.IRVersion)}}
	for _, domain := range slices.Sorted(maps.Keys(r.Opsets)) {
		facts = append(facts, [2]string{"operators of " + cmp.Or(domain, "ai.onnx"), fmt.Sprint("version ", r.Opsets[domain])})
	}
	for _, p := range r.Inputs {
		facts = append(facts, [2]string{"input", portText(p)})
	}
	for _, p := range r.Outputs {
		facts = append(facts, [2]string{"output", portText(p)})
	}
	if r.Classes != nil {
		facts = append(facts, [2]string{"classes", fmt.Sprintf("%d: %s", len(r.Classes), onnxgraph.Listed(r.Classes))})
	}
	if r.Normalize != nil {
		facts = append(facts, [2]string{"normalization", r.Normalize.String()})
	}
	facts = append(facts, [2]string{"parameters", r.Parameters.String()}, [2]string{"nodes", operatorList(r.Operators)})
	if len(r.NotFinite) > 0 {
		facts = append(facts, [2]string{"NaN, infinity", notFinite(r.NotFinite)})
	}
	c.facts(facts...)
	c.conversions(r.Convolutions, wouldConvert)
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

// portText writes an input or output.
func portText(p rcfreeze.Port) string {
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

// notFinite names the first few of the tensors.
func notFinite(list []onnxgraph.NotFinite) string {
	var names []string
	for _, n := range list {
		names = append(names, n.String())
	}
	return onnxgraph.Listed(names)
}
