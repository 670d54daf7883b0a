package main

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
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

// defaultRate returns an optimizer's learning rate for a model that is trained already, or for one of which some weights are
// random: in the small steps that keep what a model has learned, these would take too long.
func defaultRate(optimizer string, random bool) float64 {
	rate := train.TuneRecipe().LearningRate
	if random {
		rate = train.PaperRecipe().LearningRate
	}
	if optimizer == "adamw" {
		rate /= 10
	}
	return rate
}

func (f *recipeFlags) add(flags *pflag.FlagSet) {
	tune, scratch := train.TuneRecipe(), train.PaperRecipe()
	f.flags, f.recipe = flags, tune
	r := &f.recipe
	flags.IntVar(&r.Epochs, "epochs", tune.Epochs, fmt.Sprintf("passes over the training images (default %d, from scratch %d)", tune.Epochs, scratch.Epochs))
	flags.IntVarP(&r.BatchSize, "batch-size", "b", tune.BatchSize, fmt.Sprintf("images per step (default %d, from scratch %d)", tune.BatchSize, scratch.BatchSize))
	flags.IntVar(&r.GradAccumSteps, "grad-accum-steps", tune.GradAccumSteps, "batches averaged into one update, in the memory of one: the effective batch is N × --batch-size")
	flags.StringVar(&r.Optimizer, "optimizer", tune.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", ")+"; also --opt")
	flags.Float64Var(&r.LearningRate, "lr", tune.LearningRate, fmt.Sprintf("learning rate (default %g, from scratch or with a new last layer %g; with adamw a tenth of it)",
		tune.LearningRate, scratch.LearningRate))
	flags.Float64Var(&r.Momentum, "momentum", tune.Momentum, "momentum of sgd")
	flags.BoolVar(&r.Nesterov, "nesterov", tune.Nesterov, "use Nesterov momentum with sgd")
	flags.Float64Var(&r.WeightDecay, "weight-decay", tune.WeightDecay, fmt.Sprintf("weight decay (default %g, from scratch %g)", tune.WeightDecay, scratch.WeightDecay))
	flags.Float64Var(&r.LabelSmoothing, "label-smoothing", tune.LabelSmoothing, fmt.Sprintf("label smoothing, from 0 to below 1 (default %g, from scratch %g); also --smoothing", tune.LabelSmoothing, scratch.LabelSmoothing))
	flags.StringVar(&r.Schedule, "scheduler", tune.Schedule, "how the learning rate changes: "+strings.Join(train.Schedules(), ", ")+"; also --sched")
	flags.Float64Var(&r.WarmupEpochs, "warmup-epochs", tune.WarmupEpochs, "epochs at the start in which the learning rate rises to --lr")
	flags.IntVar(&r.StepEpochs, "step-epochs", tune.StepEpochs, "with --scheduler step, epochs between two drops of the learning rate")
	flags.Float64Var(&r.StepFactor, "step-factor", tune.StepFactor, "with --scheduler step, the factor by which each drop multiplies the learning rate")
	flags.Float64Var(&r.ClipNorm, "clip-grad", tune.ClipNorm, "largest norm of the gradient; a larger gradient is scaled down (0: no limit)")
	flags.StringVar(&f.augment, "augment", "auto", "how training images are varied, such as pad-crop=4,flip=0.5, or none; auto is that for cifar10 and cifar100, and none for others")
	flags.StringVar(&f.blockForm, "block-form", string(trainstep.AutoForm), "how a training step computes frozen blocks: two-conv (as two convolutions), folded (as the one that they equal), auto (whichever takes less time)")
	flags.StringVar((*string)(&r.BatchNorm), "batchnorm", string(tune.BatchNorm), "what BatchNorm normalizes by: train (the statistics of the batch), eval (the running statistics, which stay as they are), "+
		"recalibrate (as train; at the end, the running statistics are estimated again on the training images)")
	flags.StringArrayVar(&r.Train, "train", nil, "also train constants whose names match this pattern, where * stands for any text; may be given several times")
	flags.StringArrayVar(&r.Freeze, "freeze", nil, "do not train constants whose names match this pattern, unless --train names them: --freeze '*' --train 'fc.*' trains only fc; may be given several times")
	flags.StringVar(&r.TrainFrom, "train-from", "", "freeze the node of this name and everything before it; train what comes after")
}

func (f *recipeFlags) addSeed(flags *pflag.FlagSet) {
	flags.Uint64Var(&f.recipe.Seed, "seed", f.recipe.Seed, "seed for the order of images, augmentation, dropout and --reinit")
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

// settle returns the recipe, and the augmentation that it names, for so many training images of a data set of the given format.
// Flags that are not given have the values for training from scratch, or those for fine-tuning, which may be of a model with a
// new last layer.
func (f *recipeFlags) settle(p *printer, format string, images int, scratch, newHead bool) (train.Recipe, []dataset.Augmentation, error) {
	r := f.recipe
	if !f.flags.Changed("lr") {
		r.LearningRate = defaultRate(r.Optimizer, scratch || newHead)
	}
	if scratch {
		f.fromScratch(&r)
	}
	if !f.flags.Changed("batch-size") && r.BatchSize > images {
		p.say("the batch size is %d instead of %d: there are no more training images", images, r.BatchSize)
		r.BatchSize = images
	}
	if small := batchForMany(images, r); newHead && !f.flags.Changed("batch-size") && small < r.BatchSize {
		p.say("the batch size is %d instead of %d, so that %s images make more updates of the new last layer: about %s", small, r.BatchSize, count(images), count(updates(images, r, small)))
		r.BatchSize = small
	}
	if left := images % r.BatchSize; left > 0 && r.BatchSize < images {
		p.say("each epoch leaves out %s of %s images, others each time, since all batches have %d%s", count(left), count(images), r.BatchSize, betterBatch(images, r.BatchSize))
	}
	r.BlockForm = trainstep.BlockForm(f.blockForm)
	augment, err := f.augmentations(format)
	for _, a := range augment {
		r.Augment = append(r.Augment, a.String())
	}
	return r, augment, err
}

// settings tells by which settings runs train, and on what.
func (p *printer) settings(r train.Recipe, scratch bool, set *dataset.Dataset, session ort.Options) {
	how := "fine-tuning"
	if scratch {
		how = "training from scratch"
	}
	batch := fmt.Sprint(r.BatchSize)
	if r.GradAccumSteps > 1 {
		batch += fmt.Sprintf(" × %d steps per update", r.GradAccumSteps)
	}
	p.say("%s on %s images of %v: epochs %d, batch size %s, %s, lr %g (%s), momentum %g, weight decay %g, label smoothing %g, augmentation %s, provider %s, threads %d",
		how, count(set.Len()), set.Shape, r.Epochs, batch, r.Optimizer, r.LearningRate, r.Schedule, r.Momentum, r.WeightDecay, r.LabelSmoothing,
		cmp.Or(strings.Join(r.Augment, ","), "none"), session.Provider, session.Threads())
}

// fromScratch gives a recipe the values for training from scratch where no flag does.
func (f *recipeFlags) fromScratch(r *train.Recipe) {
	paper := train.PaperRecipe()
	for flag, set := range map[string]func(){
		"epochs":          func() { r.Epochs = paper.Epochs },
		"batch-size":      func() { r.BatchSize = paper.BatchSize },
		"weight-decay":    func() { r.WeightDecay = paper.WeightDecay },
		"label-smoothing": func() { r.LabelSmoothing = paper.LabelSmoothing },
	} {
		if !f.flags.Changed(flag) {
			set()
		}
	}
}

// betterBatch advises the batch size, from half of what it is on, that leaves out the fewest images, if there is a better one.
func betterBatch(images, size int) string {
	best := size
	for b := size - 1; b >= (size+1)/2; b-- {
		if images%b < images%best {
			best = b
		}
	}
	switch {
	case best == size:
		return ""
	case images%best == 0:
		return fmt.Sprintf(": --batch-size %d leaves out none", best)
	}
	return fmt.Sprintf(": --batch-size %d leaves out %d", best, images%best)
}
