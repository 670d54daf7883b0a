package main

import (
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// watcher shows how a training run goes.
type watcher struct {
	*progress
	epochs, batchSize int
	measures          dataset.Split // what is measured after every epoch
	classes           int
	steps             int       // of the epoch that this process did
	first, last       time.Time // when the first and the last of these were done
}

func (w *watcher) step(p train.Progress) {
	w.last = time.Now()
	if w.steps == 0 {
		w.first = w.last
	}
	w.steps++
	w.show(fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs), p.Step, p.Steps, fmt.Sprintf("loss %.4f lr %.3g", p.Loss, p.LearningRate))
}

func (w *watcher) measuring(done, total int) { w.show("measuring", done, total, "images") }

func (w *watcher) recalibrating(done, total int) {
	w.show("re-estimating statistics", done, total, "images")
}

// begun writes the line of the model as it was.
func (w *watcher) begun(start evaluate.Result) {
	w.clear()
	fmt.Fprintf(w.w, "before training: %s\n", w.figures(start.Loss, start.Top1, start.Top5))
}

// figures writes what was measured.
func (w *watcher) figures(loss, top1, top5 float64) string {
	text := fmt.Sprintf("%s loss %.4f, top-1 %s", w.measures, loss, percent(top1))
	if tellsTop5(w.classes) {
		text += fmt.Sprintf(", top-5 %s", percent(top5))
	}
	return text
}

// measured writes the line of an epoch.
func (w *watcher) measured(r train.Row) {
	w.clear()
	speed := ""
	if w.steps > 1 {
		speed = fmt.Sprintf(", %.0f images/s", float64((w.steps-1)*w.batchSize)/w.last.Sub(w.first).Seconds())
	}
	fmt.Fprintf(w.w, "epoch %d/%d: lr %.3g, train loss %.4f, train top-1 %s, %s, %.1f s%s\n",
		r.Epoch, w.epochs, r.LearningRate, r.TrainLoss, percent(r.TrainTop1), w.figures(r.TestLoss, r.TestTop1, r.TestTop5), r.Seconds, speed)
	w.steps = 0
}
