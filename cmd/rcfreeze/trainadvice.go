package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
)

// fewUpdates is how many updates are too few to train all of a model for new classes. By then the running statistics of a
// BatchNorm, of which an update keeps nine tenths, have long followed the data.
const fewUpdates = 100

// smallBatch is the smallest batch that is advised: the statistics of fewer images say little.
const smallBatch = 8

// adviseFew says what does better where a model gets a new last layer and few updates.
func (c *trainCommand) adviseFew(run *train.Run) {
	r, images := run.Recipe, run.Train.Len()
	updates := updates(images, r, r.BatchSize)
	if c.head.classes == 0 || updates >= fewUpdates {
		return
	}
	var advice []string
	if small := batchForMany(images, r); small < r.BatchSize {
		advice = append(advice, fmt.Sprintf("--batch-size %d makes more", small))
	}
	if r.TrainFrom == "" && c.head.before != "" {
		advice = append(advice, fmt.Sprintf("--train-from %q trains the new last layer alone", c.head.before))
	}
	if r.BatchNorm == train.BatchNormTrain && hasBatchNorm(run.Model) {
		advice = append(advice, "--batchnorm recalibrate measures the running statistics in the end, which cannot follow so soon")
	}
	if len(advice) > 0 {
		c.say("%d updates are few for a new last layer; what helps:", updates)
	}
	for _, line := range advice {
		c.say("  %s", line)
	}
}

// updates returns how many updates a recipe makes of so many images in batches of a size.
func updates(images int, r train.Recipe, size int) int {
	steps := images / size
	return r.Epochs * ((steps + r.GradAccumSteps - 1) / r.GradAccumSteps)
}

// batchForMany returns the largest batch size, up to the recipe's, with which the updates are not few, or the smallest that is
// advised.
func batchForMany(images int, r train.Recipe) int {
	size := r.BatchSize
	for size > smallBatch && updates(images, r, size) < fewUpdates {
		size--
	}
	return size
}

func hasBatchNorm(m *onnxgraph.Model) bool {
	for _, n := range m.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			return true
		}
	}
	return false
}

// sayIfWorse tells plainly if the model that is written is worse than before training, or is as it was, and what to try.
// measured is what it measures on the test images, which may not be those that were measured at the start.
func (c *trainCommand) sayIfWorse(trained *train.Result, run *train.Run, measured evaluate.Result) {
	before := trained.Start.Top1
	best, after := before, before
	for _, row := range trained.History {
		best, after = max(best, row.TestTop1), row.TestTop1
	}
	if run.Keep == train.KeepBest {
		after = best
	}
	if run.Test == c.splits.test {
		after = measured.Top1 // of what is written, which may be recalibrated
	}
	advice := fmt.Sprintf("try a smaller learning rate, such as --lr %g", run.Recipe.LearningRate/10)
	switch {
	case after < before:
		if run.Keep == train.KeepLast {
			advice += ", or --keep best, which keeps the weights from before training if no epoch is better"
		}
		c.say("worse than before: top-1 was %s before training and is %s now; %s", percent(before), percent(after), advice)
	case run.Keep == train.KeepBest && best == before:
		c.say("no epoch was better than the model before training, whose weights were written; %s", advice)
	}
}

// nodeBefore returns by which name --train-from finds the node whose output a layer reads, "" if there is none.
func nodeBefore(m *onnxgraph.Model, layer string) string {
	n, err := transform.FindNode(m, layer)
	if err != nil {
		return ""
	}
	for _, v := range n.Inputs() {
		if v == nil || v.Constant() != nil || v.Producer() == nil || v.Producer().Is("Constant") {
			continue
		}
		if name := v.Producer().Name(); name != "" {
			return name
		}
		return v.Name()
	}
	return ""
}
