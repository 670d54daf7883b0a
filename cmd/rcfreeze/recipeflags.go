package main

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
	"github.com/spf13/pflag"
)

// recipeFlags say how a model is trained. Flags that are not given have the values for fine-tuning, or those
// for training from scratch.
type recipeFlags struct {
	flags   *pflag.FlagSet
	recipe  train.Recipe
	augment string
}

func (f *recipeFlags) add(flags *pflag.FlagSet) {
	f.flags, f.recipe = pflag.NewFlagSet("", pflag.ContinueOnError), train.TuneRecipe()
	f.recipe.BlockForm = trainstep.AutoForm
	addRecipe(f.flags, &f.recipe)
	flags.AddFlagSet(f.flags)
	flags.StringVar(&f.augment, "augment", "auto", "random changes of training images: none, or one or both of pad-crop=PIXELS (pad with black, then crop the old size) and flip=PROBABILITY (mirror left and right), as in pad-crop=4,flip=0.5; auto takes these two for cifar10 and cifar100, and none for other formats")
}

// addRecipe adds the flags that set a recipe. Where they are not given, it stays as it is.
func addRecipe(flags *pflag.FlagSet, r *train.Recipe) {
	tune, scratch := train.TuneRecipe(), train.PaperRecipe()
	flags.IntVar(&r.Epochs, "epochs", r.Epochs, fmt.Sprintf("passes over the training images (default %d; %d from scratch)", tune.Epochs, scratch.Epochs))
	flags.IntVarP(&r.BatchSize, "batch-size", "b", r.BatchSize, fmt.Sprintf("images per step (default %d; %d from scratch)", tune.BatchSize, scratch.BatchSize))
	flags.IntVar(&r.GradAccumSteps, "grad-accum-steps", r.GradAccumSteps, "batches averaged into one update: the effective batch is N × --batch-size, in the memory of one batch")
	flags.StringVar(&r.Optimizer, "optimizer", r.Optimizer, "optimizer: "+strings.Join(train.Optimizers(), ", ")+"; also --opt")
	flags.Float64Var(&r.LearningRate, "lr", r.LearningRate, fmt.Sprintf("learning rate (default %g; %g from scratch or for a new last layer; with adamw, a tenth of that)",
		tune.LearningRate, scratch.LearningRate))
	flags.Float64Var(&r.Momentum, "momentum", r.Momentum, "momentum of sgd")
	flags.BoolVar(&r.Nesterov, "nesterov", r.Nesterov, "use Nesterov momentum with sgd")
	flags.Float64Var(&r.WeightDecay, "weight-decay", r.WeightDecay, fmt.Sprintf("weight decay (default %g; %g from scratch)", tune.WeightDecay, scratch.WeightDecay))
	flags.Float64Var(&r.LabelSmoothing, "label-smoothing", r.LabelSmoothing, fmt.Sprintf("label smoothing, from 0 to below 1 (default %g; %g from scratch); also --smoothing", tune.LabelSmoothing, scratch.LabelSmoothing))
	flags.StringVar(&r.Schedule, "scheduler", r.Schedule, "how the learning rate changes: "+strings.Join(train.Schedules(), ", ")+"; also --sched")
	flags.Float64Var(&r.WarmupEpochs, "warmup-epochs", r.WarmupEpochs, "epochs at the start in which the learning rate rises to --lr (default 0)")
	flags.IntVar(&r.StepEpochs, "step-epochs", r.StepEpochs, "with --scheduler step, epochs between two drops of the learning rate")
	flags.Float64Var(&r.StepFactor, "step-factor", r.StepFactor, "with --scheduler step, the factor by which each drop multiplies the learning rate")
	flags.Float64Var(&r.ClipNorm, "clip-grad", r.ClipNorm, "largest norm of the gradient; a larger gradient is scaled down (0: no limit)")
	flags.StringVar((*string)(&r.BlockForm), "block-form", string(r.BlockForm), "how a training step computes frozen blocks: two-conv (as two convolutions), merged (as one convolution, with the combined filters), auto (whichever takes less time)")
	flags.StringVar((*string)(&r.BatchNorm), "batchnorm", string(r.BatchNorm), "what BatchNorm normalizes by: train (the statistics of the batch), eval (the running statistics, which stay as they are), "+
		"recalibrate (as train; at the end, the running statistics are estimated again on the training images)")
	flags.StringArrayVar(&r.Train, "train", nil, "also train parameters whose names match this pattern, where * stands for any text, even if --freeze matches them; may be given several times")
	flags.StringArrayVar(&r.Freeze, "freeze", nil, "do not train parameters whose names match this pattern, unless --train matches them, too: --freeze '*' --train 'fc.*' trains only fc; may be given several times")
	flags.StringVar(&r.TrainFrom, "train-from", "", "freeze the node of this name and everything before it; train what comes after")
}

// settings returns what the flags stand for.
func (f *recipeFlags) settings() rcfreeze.Settings {
	return rcfreeze.Settings{Augment: f.augment, Recipe: f.change}
}

// change sets in a recipe what the flags say that are given.
func (f *recipeFlags) change(r *train.Recipe) {
	again := pflag.NewFlagSet("", pflag.ContinueOnError)
	addRecipe(again, r)
	f.flags.VisitAll(func(flag *pflag.Flag) {
		if !flag.Changed {
			return
		}
		value := again.Lookup(flag.Name).Value
		if list, ok := flag.Value.(pflag.SliceValue); ok {
			value.(pflag.SliceValue).Replace(list.GetSlice())
			return
		}
		value.Set(flag.Value.String()) // which has been read once
	})
}
