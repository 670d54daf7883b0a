package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// trainCommand trains a model.
type trainCommand struct {
	*printer
	options rcfreeze.TrainOptions
	output  outputFlags
	data    dataFlags
	recipe  recipeFlags
	runtime runtimeFlags
	epsilon fraction
}

func newTrain(p *printer) *cobra.Command {
	c := trainCommand{printer: p}
	o := &c.options
	cmd := &cobra.Command{
		Use:   "train MODEL -o OUT --data PATH",
		Short: "Fine-tune a model, or train it from scratch",
		Long: `Fine-tune a classifier, with or without frozen blocks, or train it from scratch with --reinit. The fixed filters of
blocks stay as they are, unless --variant learned trains them, too.

Defaults are for fine-tuning: small steps that keep what the model has learned. If weights start at random, the defaults are
those for training from scratch. --resume continues a run that was stopped, with the same result.`,
		Example: `# Fine-tune a model with frozen blocks for 5 epochs
rcfreeze train blocks.onnx -o trained.onnx --data images --epochs 5
# Continue, if that was stopped
rcfreeze train blocks.onnx -o trained.onnx --data images --epochs 5 --resume
# Train a model from scratch, and keep the weights that did best
rcfreeze train resnet20.onnx -o scratch.onnx --data images --reinit --epochs 30 --keep best
# Fine-tune a model for other classes than it was trained on
rcfreeze train model.onnx -o flowers.onnx --data images --num-classes 3`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	c.output.add(cmd)
	c.data.add(cmd)
	addLogits(flags, &o.Logits)
	c.recipe.add(flags)
	flags.Uint64Var(&o.Seed, "seed", 0, "seed for the order of images, augmentation, dropout, --reinit and a new last layer (default 0)")
	addNumClasses(flags, &o.NumClasses)
	c.runtime.add(flags)
	flags.StringVar((*string)(&o.Variant), "variant", "", "what trains: frozen (all but the fixed filters of blocks), learned (these, too), baseline (a model without blocks; all of it trains), "+
		"frozen-baseline (without blocks; its spatial filters are drawn at random and stay fixed) (default frozen if the model has blocks, else baseline)")
	flags.BoolVar(&o.Reinit, "reinit", false, "train from scratch: first set everything that trains to new random values")
	flags.BoolVar(&o.Resume, "resume", false, "continue from the last checkpoint in --run-dir; if there is none, start from the beginning")
	addSaveEvery(flags, &o.SaveEvery)
	flags.StringVar((*string)(&o.Keep), "keep", string(train.KeepLast), "which weights to write: last (of the last epoch), best (with the highest accuracy on val, or on test without val; those from before training count, too)")
	flags.StringVar(&o.RunDir, "run-dir", "", "folder for checkpoints and metrics.csv; if it already holds a run, give --resume, or another folder (default: the name of the output, with .run added)")
	addEpsilon(cmd, &c.epsilon)
	return cmd
}

func variantList() string {
	var names []string
	for _, v := range parameter.Variants() {
		names = append(names, string(v))
	}
	return strings.Join(names, ", ")
}

// addSaveEvery adds the flag that says how much work a run that is killed can lose.
func addSaveEvery(flags *pflag.FlagSet, every *time.Duration) {
	flags.DurationVar(every, "save-every", train.DefaultSaveEvery, fmt.Sprintf("save a checkpoint this often within an epoch, such as 30s or 1h (default %gm; 0: only after each epoch)", train.DefaultSaveEvery.Minutes()))
}

// settleSaveEvery makes of the flag's value that of an option.
func settleSaveEvery(every *time.Duration) error {
	if *every < 0 {
		return usage(fmt.Errorf("--save-every %v: needs 0 or more, such as 5m", *every))
	}
	if *every == 0 {
		*every = -1
	}
	return nil
}

func (c *trainCommand) run(ctx context.Context, path string) error {
	o := c.options
	o.Settings, o.Epsilon, o.Runtime, o.Reporter = c.recipe.settings(), float64(c.epsilon), c.runtime.options, c.reporter()
	err := errors.Join(settleSaveEvery(&o.SaveEvery), c.data.settle(&o.Data), c.output.settle(c.printer, &o.Output))
	return perform(ctx, c.printer, path, err, o, rcfreeze.Train, c.print)
}

func (c *trainCommand) print(r *rcfreeze.Trained) {
	facts := append(measuredOnFacts(r.MeasuredOn), measuredFacts(r.Result, r.ModelClasses, r.Epsilon)...)
	c.facts(append(facts, [2]string{"written", r.Output}, [2]string{"checkpoints", r.RunDir})...)
}
