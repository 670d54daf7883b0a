package main

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/spf13/cobra"
)

// evalCommand measures a model on a data set.
type evalCommand struct {
	*printer
	options rcfreeze.EvaluateOptions
	data    dataFlags
	runtime runtimeFlags
	epsilon fraction
}

func newEval(p *printer) *cobra.Command {
	c := evalCommand{printer: p}
	o := &c.options
	cmd := &cobra.Command{
		Use:   "eval MODEL --data PATH",
		Short: "Measure loss and accuracy on a data set",
		Long: `Measure the loss of a classifier, and its accuracy: how often the right class is the most probable one (top-1), or
one of the five most probable (top-5). With --epsilon, also measure its accuracy under attack (FGSM).`,
		Example: `# Measure on the test images
rcfreeze eval model.onnx --data images
# Also print each class, and the accuracy under attack
rcfreeze eval model.onnx --data images --per-class --epsilon 1/255
# Try it first on 100 images
rcfreeze eval model.onnx --data images --limit 100
# For a model that takes pixels from -1 to 1
rcfreeze eval model.onnx --data images --pixels -1:1`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	c.data.add(cmd)
	addLogits(cmd.Flags(), &o.Logits)
	c.runtime.add(cmd.Flags())
	cmd.Flags().StringVar((*string)(&o.Split), "split", string(dataset.Test), "which images to measure: test (val if there is no test), val, train")
	cmd.Flags().IntVarP(&o.BatchSize, "batch-size", "b", 0, fmt.Sprintf("images per batch (0: %d, or fewer if they would take too much memory)", rcfreeze.DefaultBatch))
	cmd.Flags().BoolVar(&o.PerClass, "per-class", false, "also print the accuracy of each class, and which classes are confused")
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func addEpsilon(cmd *cobra.Command, epsilon *fraction) {
	cmd.Flags().Var(epsilon, "epsilon", "also measure the accuracy under an FGSM attack, which changes each pixel by this much on a scale from 0 to 1, such as 1/255 (0: no attack)")
}

func (c *evalCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.Epsilon, o.Runtime, o.Reporter = float64(c.epsilon), c.runtime.options, c.reporter()
	err := c.data.settle(&o.Data)
	return perform(ctx, c.printer, path, err, o, rcfreeze.Evaluate, c.print)
}

func (c *evalCommand) print(r *rcfreeze.Evaluation) {
	c.facts(append(measuredOnFacts(r.MeasuredOn), measuredFacts(r.Result, r.ModelClasses, r.Epsilon)...)...)
	if c.options.PerClass {
		c.printClasses(r)
	}
}

// measuredFacts returns the lines of a result for a model with so many classes.
func measuredFacts(r evaluate.Result, classes int, epsilon float64) [][2]string {
	facts := [][2]string{
		{"loss", fmt.Sprintf("%.4f", r.Loss)},
		{"top-1", string(percent(r.Top1))},
	}
	if rcfreeze.TellsTop5(classes) {
		facts = append(facts, [2]string{"top-5", string(percent(r.Top5))})
	}
	if r.RobustTop1 != nil {
		facts = append(facts, [2]string{"robust top-1", fmt.Sprintf("%s (FGSM, epsilon %.3g)", percent(*r.RobustTop1), epsilon)})
	}
	return facts
}
