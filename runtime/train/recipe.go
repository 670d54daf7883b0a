package train

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Recipe holds all settings of a training run that influence its result. Two runs with equal recipes, models and data give equal
// results. PaperRecipe and TuneRecipe return recipes to start from; in the zero value, several required fields are missing.
type Recipe struct {
	Epochs         int     `json:"epochs"`           // passes over the training images, at least 1
	BatchSize      int     `json:"batch_size"`       // images in a step
	GradAccumSteps int     `json:"grad_accum_steps"` // steps whose mean gradient makes one update
	Optimizer      string  `json:"optimizer"`        // sgd or adamw
	LearningRate   float64 `json:"lr"`               // the highest of the schedule, above 0
	Schedule       string  `json:"scheduler"`        // one of Schedules
	WarmupEpochs   float64 `json:"warmup_epochs"`    // the learning rate rises linearly during these
	StepEpochs     int     `json:"step_epochs"`      // schedule step: epochs between two drops
	StepFactor     float64 `json:"step_factor"`      // schedule step: the factor of each drop
	Momentum       float64 `json:"momentum"`         // sgd
	Nesterov       bool    `json:"nesterov"`         // sgd
	// WeightDecay is the factor of weight decay: for sgd, an L2 penalty as in PyTorch's SGD; for adamw, decoupled. It applies to all
	// parameters that train, also to biases and to scales and shifts of normalizations. 0 means none.
	WeightDecay float64 `json:"weight_decay"`
	// LabelSmoothing is the share of each target, from 0 to below 1, that is spread evenly over all classes. 0 means none.
	LabelSmoothing float64   `json:"label_smoothing"`
	ClipNorm       float64   `json:"clip_grad"` // the largest norm of the gradient of all parameters together; 0 means no clipping
	Seed           uint64    `json:"seed"`      // seed for the order of images, augmentation and dropout
	BatchNorm      BatchNorm `json:"batchnorm"` // one of BatchNorms
	// TrainFrom is the name of a node. Parameters before it do not train. "" means that all may train.
	TrainFrom string `json:"train_from"`
	// BlockForm decides how the step computes frozen blocks. The results of all forms are equal except for rounding.
	BlockForm trainstep.BlockForm `json:"block_form"`
	// Augment has the text of each augmentation in Run.Augment, so that a run which continues can be told from one with other
	// augmentations. It does not change any image; the caller keeps both consistent.
	Augment []string `json:"augment"`
	// Train and Freeze are patterns of names: parameters that train in addition, and parameters that do not train
	// (parameter.Selection).
	Train   []string `json:"train,omitempty"`
	Freeze  []string `json:"freeze,omitempty"`
	Trained []string `json:"trained"` // the names of the initializers that train; Select sets them
}

// PaperRecipe returns the recipe for small images of Gavrikov & Keuper, arXiv 2301.11360, section 3: among others 75 epochs,
// batches of 256 images, and the learning rate 0.01. It has no augmentation, which depends on the data set, and no Trained (see
// Select).
func PaperRecipe() Recipe {
	return Recipe{
		Epochs: 75, BatchSize: 256, GradAccumSteps: 1, Optimizer: "sgd", LearningRate: 1e-2, Schedule: "cosine", StepEpochs: 30, StepFactor: 0.1,
		Momentum: 0.9, Nesterov: true, WeightDecay: 1e-2, LabelSmoothing: 0.1, BatchNorm: BatchNormTrain,
	}
}

// TuneRecipe returns the recipe for a model that is already trained: 10 epochs, batches of 128 images, the learning rate 0.001,
// weight decay 1e-4 and no label smoothing, otherwise as PaperRecipe. The steps and the decay are so small that the model keeps
// what it has learned.
func TuneRecipe() Recipe {
	r := PaperRecipe()
	r.Epochs, r.BatchSize, r.LearningRate, r.WeightDecay, r.LabelSmoothing = 10, 128, 1e-3, 1e-4, 0
	return r
}

// BatchNorm says which statistics BatchNormalization uses while a model trains.
type BatchNorm string

const (
	// BatchNormTrain normalizes by the statistics of the batch, and updates the running statistics.
	BatchNormTrain BatchNorm = "train"
	// BatchNormEval normalizes by the running statistics, which stay as they are.
	BatchNormEval BatchNorm = "eval"
	// BatchNormRecalibrate trains like BatchNormTrain. After training, it estimates the running statistics that changed again on
	// the training images without augmentation (batchnorm.Recalibrate). The new ones are averages over all images with the final
	// weights; the old ones are averages over the last batches, while the weights still changed. So Result.History, which is
	// measured during training, shows the model with the old ones, and Result.Model has the new ones.
	BatchNormRecalibrate BatchNorm = "recalibrate"
)

// BatchNorms returns all choices.
func BatchNorms() []BatchNorm {
	return []BatchNorm{BatchNormTrain, BatchNormEval, BatchNormRecalibrate}
}

// optimizers has one row per optimizer.
var optimizers = map[string]func(Recipe) trainstep.Optimizer{
	"sgd": func(r Recipe) trainstep.Optimizer {
		return trainstep.SGD{Momentum: r.Momentum, Nesterov: r.Nesterov, WeightDecay: r.WeightDecay}
	},
	"adamw": func(r Recipe) trainstep.Optimizer {
		return trainstep.AdamW{Beta1: 0.9, Beta2: 0.999, Epsilon: 1e-8, WeightDecay: r.WeightDecay}
	},
}

// Optimizers returns the names of the optimizers.
func Optimizers() []string { return names(optimizers) }

func names[T any](table map[string]T) []string {
	var list []string
	for name := range table {
		list = append(list, name)
	}
	slices.Sort(list)
	return list
}

// Validate returns an error that lists all settings that are out of range, by their flags.
func (r Recipe) Validate() error {
	var faults []error
	need := func(ok bool, flag string, value any, what string) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s %v: needs %s", flag, value, what))
		}
	}
	need(r.Epochs > 0, "--epochs", r.Epochs, "at least 1")
	need(r.BatchSize > 0, "--batch-size", r.BatchSize, "at least 1")
	need(r.GradAccumSteps > 0, "--grad-accum-steps", r.GradAccumSteps, "at least 1")
	need(optimizers[r.Optimizer] != nil, "--optimizer", r.Optimizer, "one of "+strings.Join(Optimizers(), ", "))
	need(schedules[r.Schedule] != nil, "--scheduler", r.Schedule, "one of "+strings.Join(Schedules(), ", "))
	need(r.LearningRate > 0 && isFinite(r.LearningRate), "--lr", r.LearningRate, "more than 0")
	need(r.WarmupEpochs >= 0 && isFinite(r.WarmupEpochs), "--warmup-epochs", r.WarmupEpochs, "0 or more")
	need(r.Schedule != "step" || r.StepEpochs > 0, "--step-epochs", r.StepEpochs, "at least 1")
	need(r.StepFactor >= 0 && isFinite(r.StepFactor), "--step-factor", r.StepFactor, "0 or more")
	need(r.Momentum >= 0 && r.Momentum < 1, "--momentum", r.Momentum, "0 up to 1")
	need(!r.Nesterov || r.Momentum > 0, "--momentum", r.Momentum, "more than 0 with Nesterov")
	need(r.WeightDecay >= 0 && isFinite(r.WeightDecay), "--weight-decay", r.WeightDecay, "0 or more")
	need(r.LabelSmoothing >= 0 && r.LabelSmoothing < 1, "--label-smoothing", r.LabelSmoothing, "0 up to 1")
	need(slices.Contains(BatchNorms(), r.BatchNorm), "--batchnorm", r.BatchNorm, fmt.Sprintf("%s, %s or %s", BatchNormTrain, BatchNormEval, BatchNormRecalibrate))
	need(r.ClipNorm >= 0 && isFinite(r.ClipNorm), "--clip-grad", r.ClipNorm, "0 (none) or more")
	return errors.Join(faults...)
}

// isFinite reports whether v, which must not be negative, is finite. NaN is not finite.
func isFinite(v float64) bool { return v <= math.MaxFloat64 }

// StepOptions returns the options of the training step that the recipe describes.
func (r Recipe) StepOptions() trainstep.Options {
	return trainstep.Options{
		Trained: r.Trained, LabelSmoothing: r.LabelSmoothing, ClipNorm: r.ClipNorm,
		Optimizer: optimizers[r.Optimizer](r), FreezeStatistics: r.BatchNorm == BatchNormEval, BlockForm: r.BlockForm,
		Accumulate: r.GradAccumSteps > 1,
	}
}

// Select sets Trained to the parameters of a model that train in a variant, according to Train, Freeze and TrainFrom.
func (r *Recipe) Select(m *onnxgraph.Model, v parameter.Variant) error {
	after := func(names []string) ([]string, error) { return names, nil }
	if r.TrainFrom != "" {
		n, err := parameter.FindNode(m, r.TrainFrom)
		if err != nil {
			return err
		}
		after = func(names []string) ([]string, error) { return parameter.After(m, n, names) }
	}
	choose := func(train, freeze []string) ([]string, error) {
		names, err := parameter.Selection{Variant: v, Train: train, Freeze: freeze}.Trained(m)
		if err != nil {
			return nil, err
		}
		return after(names)
	}
	trained, err := choose(r.Train, r.Freeze)
	if err != nil {
		return err
	}
	for _, pattern := range r.Train {
		if _, err := choose([]string{pattern}, []string{"*"}); err != nil {
			return fmt.Errorf("training what matches %q: %w", pattern, err)
		}
	}
	if len(trained) == 0 {
		return fmt.Errorf("choosing what trains in %s: it has no parameter that trains", m.Path())
	}
	r.Trained = trained
	return nil
}

// Count returns how many parameters the model has, without running statistics, and how many of them are in the initializers
// named.
func Count(m *onnxgraph.Model, named []string) (all, among int64, err error) {
	parameters, err := parameter.List(m)
	if err != nil {
		return 0, 0, err
	}
	for _, p := range parameters {
		if !p.Role.Trains() && p.Role != parameter.RoleBank {
			continue
		}
		n := p.Value.Constant().Len()
		all += n
		if slices.Contains(named, p.Value.Name()) {
			among += n
		}
	}
	return all, among, nil
}
