package main

import (
	"fmt"
	"time"

	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// watcher shows how a training run goes.
type watcher struct {
	*progress
	epochs, batchSize int
	started           time.Time     // of the epoch, in this process
	trained           time.Duration // since then, until the last step
	steps             int           // done since then
}

// restart is to be called before a run, and after every epoch.
func (w *watcher) restart() { w.started, w.trained, w.steps = time.Now(), 0, 0 }

func (w *watcher) step(p train.Progress) {
	w.steps++
	w.trained = time.Since(w.started)
	w.show(fmt.Sprintf("epoch %d/%d", p.Epoch, p.Epochs), p.Step, p.Steps, fmt.Sprintf("loss %.4f lr %.3g", p.Loss, p.LearningRate))
}

func (w *watcher) measuring(done, total int) { w.show("measuring", done, total, "images") }

// measured writes the line of an epoch.
func (w *watcher) measured(r train.Row) {
	w.clear()
	speed := float64(w.steps*w.batchSize) / w.trained.Seconds()
	fmt.Fprintf(w.w, "epoch %d/%d: lr %.3g, train loss %.4f, train top-1 %s, test loss %.4f, top-1 %s, top-5 %s, %.1f s, %.0f images/s\n",
		r.Epoch, w.epochs, r.LearningRate, r.TrainLoss, percent(r.TrainTop1), r.TestLoss, percent(r.TestTop1), percent(r.TestTop5), r.Seconds, speed)
	w.restart()
}
