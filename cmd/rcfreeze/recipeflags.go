package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/pflag"
)

// recipeFlags say how a model is trained. Flags that are not given have the values for fine-tuning, or those
// for training from scratch.
type recipeFlags struct {
	flags     *pflag.FlagSet
	recipe    train.Recipe
	augment   string
	blockForm string
}

// The defaults in which fine-tuning differs from training from scratch, and AdamW from SGD.
const (
	tuneEpochs, tuneBatchSize = 10, 128
	adamWRate                 = 1e-3
)

func (f *recipeFlags) add(flags *pflag.FlagSet) {
	paper := train.PaperRecipe()
	f.flags, f.recipe = flags, paper
	r := &f.recipe
	flags.IntVar(&r.Epochs, "epochs", tuneEpochs, fmt.Sprintf("passes over the training images (default from scratch: %d)", paper.Epochs))
	flags.IntVarP(&r.BatchSize, "batch-size", "b", tuneBatchSize, fmt.Sprintf("images per step (default from scratch: %d)", paper.BatchSize))
	flags.IntVar(&r.GradAccumSteps, "grad-accum-steps", paper.GradAccumSteps, "steps whose gradients are averaged for one update, which so sees as many times --batch-size images, in the memory of one step")
	flags.StringVar(&r.Optimizer, "optimizer", paper.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", ")+" (also --opt)")
	flags.Float64Var(&r.LearningRate, "lr", paper.LearningRate, fmt.Sprintf("learning rate (default of adamw: %g)", adamWRate))
	flags.Float64Var(&r.Momentum, "momentum", paper.Momentum, "momentum of sgd")
	flags.BoolVar(&r.Nesterov, "nesterov", paper.Nesterov, "Nesterov momentum")
	flags.Float64Var(&r.WeightDecay, "weight-decay", paper.WeightDecay, "weight decay")
	flags.Float64Var(&r.LabelSmoothing, "label-smoothing", paper.LabelSmoothing, "label smoothing (also --smoothing)")
	flags.StringVar(&r.Schedule, "scheduler", paper.Schedule, "learning rate schedule: "+strings.Join(train.Schedules(), ", ")+" (also --sched)")
	flags.Float64Var(&r.WarmupEpochs, "warmup-epochs", paper.WarmupEpochs, "epochs over which the learning rate rises first")
	flags.IntVar(&r.StepEpochs, "step-epochs", paper.StepEpochs, "epochs between two drops, for --scheduler step")
	flags.Float64Var(&r.StepFactor, "step-factor", paper.StepFactor, "what a drop multiplies the learning rate with")
	flags.Float64Var(&r.ClipNorm, "clip-grad", paper.ClipNorm, "bound on the norm of the gradient (0: none)")
	flags.StringVar(&f.augment, "augment", "auto", "augmentation such as pad-crop=4,flip=0.5, or none (auto: that for cifar10 and cifar100, none for others)")
	flags.StringVar(&f.blockForm, "block-form", string(trainstep.AutoForm), fmt.Sprintf("how a step computes frozen blocks, of %v: as two convolutions, or folded into one in the graph", trainstep.BlockForms()))
	flags.StringVar((*string)(&r.BatchNorm), "batchnorm", string(paper.BatchNorm), "train (normalise by the statistics of the batch), eval (by the running statistics, which stay), "+
		"recalibrate (as train, and re-estimate the running statistics on the training images in the end)")
	flags.StringVar(&r.TrainFrom, "train-from", "", "train only what comes after the node of this name: all before it stays, and is not differentiated")
}

func (f *recipeFlags) addSeed(flags *pflag.FlagSet) {
	flags.Uint64Var(&f.recipe.Seed, "seed", f.recipe.Seed, "seed of the order of images, augmentation, dropout and --reinit")
}

// formatAugmentations are the augmentations that --augment auto takes.
var formatAugmentations = map[string]string{"cifar10": "pad-crop=4,flip=0.5", "cifar100": "pad-crop=4,flip=0.5"}

// check lists what is wrong with the flags, before any data is read.
func (f *recipeFlags) check() error {
	faults := []error{f.recipe.Validate()}
	if !slices.Contains(trainstep.BlockForms(), trainstep.BlockForm(f.blockForm)) {
		faults = append(faults, fmt.Errorf("--block-form %q: choose one of %v", f.blockForm, trainstep.BlockForms()))
	}
	if _, err := f.augmentations(""); err != nil {
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// augmentations returns what --augment names for a data set of the given format.
func (f *recipeFlags) augmentations(format string) ([]dataset.Augmentation, error) {
	text := f.augment
	switch text {
	case "auto":
		text = formatAugmentations[format]
	case "none":
		text = ""
	}
	list, err := dataset.ParseAugmentations(text)
	if err != nil {
		return nil, fmt.Errorf("--augment: %w", err)
	}
	return list, nil
}

// settle returns the recipe, and the augmentation that it names, for a data set of the given format.
func (f *recipeFlags) settle(format string, fromScratch bool) (train.Recipe, []dataset.Augmentation, error) {
	r, paper := f.recipe, train.PaperRecipe()
	if fromScratch && !f.flags.Changed("epochs") {
		r.Epochs = paper.Epochs
	}
	if fromScratch && !f.flags.Changed("batch-size") {
		r.BatchSize = paper.BatchSize
	}
	if r.Optimizer == "adamw" && !f.flags.Changed("lr") {
		r.LearningRate = adamWRate
	}
	r.BlockForm = trainstep.BlockForm(f.blockForm)
	augment, err := f.augmentations(format)
	for _, a := range augment {
		r.Augment = append(r.Augment, a.String())
	}
	return r, augment, err
}
