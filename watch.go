package rcfreeze

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// watcher reports the progress of a training run.
type watcher struct {
	Reporter
	epochs, batchSize int
	measures          dataset.Split // the split that is measured after every epoch
	classes           int
	epoch             func(train.Row) // called after every epoch, if not nil
	steps             int             // how many steps of the epoch this process did
	first, last       time.Time       // when the first and the last of these ended
}

func (w *watcher) step(p train.Progress) {
	w.last = time.Now()
	if w.steps == 0 {
		w.first = w.last
	}
	w.steps++
	w.progress(fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs), p.Step, p.Steps, fmt.Sprintf("loss %.4f lr %.3g", p.Loss, p.LearningRate))
}

func (w *watcher) measuring(done, total int) { w.progress("measuring", done, total, "images") }

func (w *watcher) recalibrating(done, total int) {
	w.progress("re-estimating statistics", done, total, "images")
}

// begun reports the result of the model before training.
func (w *watcher) begun(start evaluate.Result) {
	w.say("before training: %s", w.figures(start.Loss, start.Top1, start.Top5))
}

// figures returns a text with the results.
func (w *watcher) figures(loss, top1, top5 float64) string {
	text := fmt.Sprintf("%s loss %.4f, top-1 %s", w.measures, loss, figures.Percent(top1))
	if TellsTop5(w.classes) {
		text += fmt.Sprintf(", top-5 %s", figures.Percent(top5))
	}
	return text
}

// measured reports the results of an epoch.
func (w *watcher) measured(r train.Row) {
	speed := ""
	if w.steps > 1 {
		speed = fmt.Sprintf(", %.0f images/s", float64((w.steps-1)*w.batchSize)/w.last.Sub(w.first).Seconds())
	}
	w.say("epoch %d/%d: lr %.3g, train loss %.4f, train top-1 %s, %s, %.1f s%s",
		r.Epoch, w.epochs, r.LearningRate, r.TrainLoss, figures.Percent(r.TrainTop1), w.figures(r.TestLoss, r.TestTop1, r.TestTop5), r.Seconds, speed)
	w.steps = 0
	if w.epoch != nil {
		w.epoch(r)
	}
}

// outline reports how much memory the steps of a run take and, if Verbose, how they are computed.
func (r Reporter) outline(o train.Outline) {
	if r.Verbose {
		r.say("steps run on %s; %s", o.Operators, forms(o.TwoConv, o.Merged))
	}
	m := o.Memory
	r.say("memory for steps of %d images: about %s, of which %s for activations and gradients, %s for images, %s for parameters, %s for the optimizer's state and copies",
		m.Images, figures.Bytes(m.Needed()), figures.Bytes(m.Values), figures.Bytes(m.Batches), figures.Bytes(m.Parameters), figures.Bytes(m.State))
	switch n := m.Fitting(); {
	case m.Free == 0:
	case n < m.Images:
		r.say("only %s of memory are free, enough for a --batch-size of about %s: use a smaller one; --grad-accum-steps then makes one update of several batches", figures.Bytes(m.Free), figures.Count(figures.RoundDown(n)))
	default:
		r.say("%s of memory are free, enough for a --batch-size of about %s", figures.Bytes(m.Free), figures.Count(figures.RoundDown(n)))
	}
}

// settings reports the settings and the data of training runs.
func (rep Reporter) settings(r train.Recipe, scratch bool, set *dataset.Dataset, session ort.Options) {
	how := "fine-tuning"
	if scratch {
		how = "training from scratch"
	}
	batch := fmt.Sprint(r.BatchSize)
	if r.GradAccumSteps > 1 {
		batch += fmt.Sprintf(" × %d steps per update", r.GradAccumSteps)
	}
	rep.say("%s on %s images of %v: epochs %d, batch size %s, %s, lr %g (%s), momentum %g, weight decay %g, label smoothing %g, augmentation %s, provider %s, threads %d",
		how, figures.Count(set.Len()), set.Shape, r.Epochs, batch, r.Optimizer, r.LearningRate, r.Schedule, r.Momentum, r.WeightDecay, r.LabelSmoothing,
		cmp.Or(strings.Join(r.Augment, ","), "none"), session.Provider, session.Threads())
}
