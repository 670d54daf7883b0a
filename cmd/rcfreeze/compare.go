package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/spf13/cobra"
)

// compareCommand trains variants of a model side by side.
type compareCommand struct {
	*printer
	options    rcfreeze.CompareOptions
	variants   []string
	seeds      []uint
	kinds      struct{ banks, layouts, betweens, pointwises []string }
	data       dataFlags
	recipe     recipeFlags
	conversion conversionFlags
	runtime    runtimeFlags
	epsilon    fraction
}

func newCompare(p *printer) *cobra.Command {
	c := compareCommand{printer: p}
	o := &c.options
	cmd := &cobra.Command{
		Use:   "compare MODEL --data PATH -o FOLDER",
		Short: "Train and measure variants of a model side by side",
		Long: `Train a model in several variants (as it is, with frozen blocks, and with blocks whose banks train too), with every
combination of the given kinds of blocks and with each seed, and measure them all on the same images. All runs have the same settings. Each
run keeps its model, checkpoints and metrics in the folder. The table comparison.csv there has a row for each run, and the page
report.html has the results so far with figures, for any browser.

The same command again continues where a comparison was stopped, and trains only what is missing; with more values, it trains what
they add. A run that fails stays in the table with the reason, and the others go on.`,
		Example: `# Compare the model with its frozen and learned blocks
rcfreeze compare model.onnx -o comparison --data images --epochs 5
# Compare frozen blocks of two sizes, each trained twice
rcfreeze compare model.onnx -o sizes --data images --variants frozen -E 1,4 --seeds 0,1
# Compare blocks with and without a ReLU inside, from scratch
rcfreeze compare model.onnx -o out --data images --pointwise random --between none,relu --epochs 5`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if cmd.Flags().Changed("resume") {
				p.say("--resume: can be left out, since compare always continues what is in its folder")
			}
			return c.run(cmd.Context(), args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Folder, "output", "o", "", "folder for the table, and for the model and the checkpoints of each run")
	cmd.MarkFlagRequired("output")
	flags.StringSliceVar(&c.variants, "variants", []string{"baseline", "frozen", "learned"}, "variants to compare (see train --variant), of "+variantList())
	flags.IntSliceVarP(&o.Expansions, "expansions", "E", []int{1}, "for variants with frozen blocks, the expansions to compare (see convert --expansion), such as 1,8,64")
	flags.UintSliceVar(&c.seeds, "seeds", []uint{0}, "train each variant once with each of these seeds, such as 0,1,2,3; a seed sets the fixed filters, random weights, the order of images, augmentation and dropout (default 0)")
	c.data.add(cmd)
	addLogits(flags, &o.Logits)
	c.recipe.add(flags)
	addNumClasses(flags, &o.NumClasses)
	const each = "; give several, with commas between them, to compare them"
	flags.StringSliceVar(&c.kinds.banks, "bank", nil, bankUsage+each)
	flags.StringSliceVar(&c.kinds.layouts, "layout", []string{string(transform.Dense)}, layoutUsage+each)
	flags.StringSliceVar(&c.kinds.betweens, "between", []string{string(transform.None)}, betweenUsage+each)
	flags.StringSliceVar(&c.kinds.pointwises, "pointwise", []string{string(transform.Project)}, pointwiseUsage+each)
	flags.IntSliceVar(&o.KernelSizes, "kernel-size", []int{0}, kernelUsage+each)
	c.conversion.addChoice(flags)
	c.runtime.add(flags)
	flags.BoolVar(&o.Reinit, "reinit", false, "train from scratch: first set everything that trains to new random values")
	flags.Bool("resume", true, "can be left out: compare always continues what is in the folder")
	flags.MarkHidden("resume")
	addSaveEvery(flags, &o.SaveEvery)
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func (c *compareCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.Blocks, o.Settings, o.Epsilon = c.conversion.options, c.recipe.settings(), float64(c.epsilon)
	o.Runtime, o.Reporter = c.runtime.options, c.reporter()
	o.Program, o.Command = "rcfreeze "+version(), append([]string{"rcfreeze"}, c.args...)
	o.Variants, o.Banks = list[parameter.Variant](c.variants), c.kinds.banks
	o.Layouts, o.Betweens = list[transform.Layout](c.kinds.layouts), list[transform.Between](c.kinds.betweens)
	o.Pointwises = list[transform.Pointwise](c.kinds.pointwises)
	for _, s := range c.seeds {
		o.Seeds = append(o.Seeds, uint64(s))
	}
	err := errors.Join(settleSaveEvery(&o.SaveEvery), c.data.settle(&o.Data))
	return perform(ctx, c.printer, path, err, o, rcfreeze.Compare, c.print)
}

// list returns names as values of a type.
func list[T ~string](names []string) []T {
	var values []T
	for _, name := range names {
		values = append(values, T(name))
	}
	return values
}

func (c *compareCommand) print(r *rcfreeze.Comparison) {
	header := tableRow{"variant", "trained", "parameters", "deployed", "seeds", "top-1"}
	hasTop5 := rcfreeze.TellsTop5(r.ModelClasses)
	if hasTop5 {
		header = append(header, "top-5")
	}
	header = append(header, "loss")
	if r.Epsilon > 0 {
		header = append(header, "robust top-1")
	}
	header = append(header, "seconds per run")
	var blocks []compare.Blocks
	for _, s := range r.Summary {
		blocks = append(blocks, s.Blocks)
	}
	flags := compare.DistinctFlags(blocks)
	var rows []tableRow
	for _, s := range r.Summary {
		seeds := fmt.Sprint(s.Seeds)
		if s.Failed > 0 {
			seeds += fmt.Sprintf(" (%d failed)", s.Failed)
		}
		row := tableRow{string(s.Variant) + s.Flags(flags), count(s.Trained), count(s.Parameters), count(s.Deployed), number(seeds)}
		if s.Seeds == 0 {
			row = tableRow{row[0]}
			for range header[1:] {
				row = append(row, number("–"))
			}
			row[4] = number(seeds)
			rows = append(rows, row)
			continue
		}
		row = append(row, spread(s.Top1, s.Top1Std, s.Seeds))
		if hasTop5 {
			row = append(row, percent(s.Top5))
		}
		row = append(row, number(fmt.Sprintf("%.4f", s.Loss)))
		if r.Epsilon > 0 {
			robust := number("–")
			if s.Robust != nil && s.RobustStd != nil {
				robust = spread(*s.Robust, *s.RobustStd, s.Seeds)
			}
			row = append(row, robust)
		}
		rows = append(rows, append(row, number(fmt.Sprintf("%.1f", s.Seconds))))
	}
	c.table(header, rows)
	c.facts(append(measuredOnFacts(r.MeasuredOn), [2]string{"written", filepath.Join(r.Folder, "comparison.csv")}, [2]string{"report", r.Report})...)
}

// spread writes a mean share with its standard deviation over seeds, if there are several.
func spread(mean, std float64, seeds int) number {
	if seeds < 2 {
		return percent(mean)
	}
	return number(fmt.Sprintf("%.2f ± %.2f %%", 100*mean, 100*std))
}
