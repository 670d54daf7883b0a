package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/spf13/cobra"
)

// compareCommand trains variants of a model side by side.
type compareCommand struct {
	*printer
	options    rcfreeze.CompareOptions
	variants   []string
	seeds      []uint
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
		Long: `Train a model in several variants (as it is, with frozen blocks, and with blocks whose banks train too), with each
expansion and each seed, and measure them all on the same images. All runs have the same settings. Each run keeps its model, checkpoints and
metrics in the folder. The table comparison.csv there has a row for each run.`,
		Example: `# Compare the model with its frozen and learned blocks
rcfreeze compare model.onnx -o comparison --data images --epochs 5
# Continue, if that was stopped
rcfreeze compare model.onnx -o comparison --data images --epochs 5 --resume
# Compare frozen blocks of two sizes, each trained twice
rcfreeze compare model.onnx -o sizes --data images --variants frozen -E 1,4 --seeds 0,1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVarP(&o.Folder, "output", "o", "", "folder for the table, and for the model and the checkpoints of each run")
	cmd.MarkFlagRequired("output")
	flags.StringSliceVar(&c.variants, "variants", []string{"baseline", "frozen", "learned"}, "variants to compare (see train --variant), of "+variantList())
	flags.IntSliceVarP(&o.Expansions, "expansions", "E", []int{1}, "for variants with frozen blocks, the expansions to compare (see convert --expansion), such as 1,8,64")
	flags.UintSliceVar(&c.seeds, "seeds", []uint{0}, "train each variant once with each of these seeds, such as 0,1,2,3 (default 0)")
	c.data.add(cmd)
	addLogits(flags, &o.Logits)
	c.recipe.add(flags)
	addNumClasses(flags, &o.NumClasses)
	c.conversion.addKind(flags)
	c.runtime.add(flags)
	flags.BoolVar(&o.Reinit, "reinit", false, "train from scratch: first set everything that trains to new random values")
	flags.BoolVar(&o.Resume, "resume", false, "continue the comparison in the folder: keep its finished runs, also in the table, and continue one that was stopped")
	addSaveEvery(flags, &o.SaveEvery)
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func (c *compareCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.Blocks, o.Settings, o.Epsilon = c.conversion.options, c.recipe.settings(), float64(c.epsilon)
	o.Runtime, o.Reporter = c.runtime.options, c.reporter()
	for _, v := range c.variants {
		o.Variants = append(o.Variants, parameter.Variant(v))
	}
	for _, s := range c.seeds {
		o.Seeds = append(o.Seeds, uint64(s))
	}
	err := errors.Join(settleSaveEvery(&o.SaveEvery), c.data.settle(&o.Data))
	return perform(ctx, c.printer, path, err, o, rcfreeze.Compare, c.print)
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
	var rows []tableRow
	for _, s := range r.Summary {
		variant := string(s.Variant)
		if s.Variant.HasBlocks() {
			variant += fmt.Sprintf(" -E %d", s.Expansion)
		}
		row := tableRow{variant, count(s.Trained), count(s.Parameters), count(s.Deployed), count(s.Seeds),
			spread(s.Top1, s.Top1Std, s.Seeds)}
		if hasTop5 {
			row = append(row, percent(s.Top5))
		}
		row = append(row, number(fmt.Sprintf("%.4f", s.Loss)))
		if s.Robust != nil && s.RobustStd != nil {
			row = append(row, spread(*s.Robust, *s.RobustStd, s.Seeds))
		}
		rows = append(rows, append(row, number(fmt.Sprintf("%.1f", s.Seconds))))
	}
	c.table(append(header, "seconds per run"), rows)
	c.facts(append(measuredOnFacts(r.MeasuredOn), [2]string{"written", filepath.Join(r.Folder, "comparison.csv")})...)
}

// spread writes a mean share with its standard deviation over seeds, if there are several.
func spread(mean, std float64, seeds int) number {
	if seeds < 2 {
		return percent(mean)
	}
	return number(fmt.Sprintf("%.2f ± %.2f %%", 100*mean, 100*std))
}
