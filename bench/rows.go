package main

import "github.com/rcfreeze/rcfreeze/transform/trainstep"

// row is one line of the table: two contestants with the same work, or one with a bound.
type row struct {
	work string
	ours entrant
	peer entrant // its open is nil if the bound is absolute, in the unit of ours
	must float64 // what the ratio ours/peer may be at most
	of   quantity
}

// quantity is what a row compares.
type quantity string

const (
	duration quantity = "ms"
	memory   quantity = "MB" // the process's peak of resident memory
)

var rows = []row{
	trainRow("ResNet-20-16 train step, batch 128", cifar, 128, 0.90),
	trainRow("ResNet-20-16 train step, batch 32", cifar, 32, 1),
	trainRow("ResNet-20-16 train step, batch 8", cifar, 8, 1),
	trainRow("ResNet-LC-20-16x1 frozen train step, batch 128", cifar.frozen(1), 128, 0.65),
	trainRow("ResNet-LC-20-16x8 frozen train step, batch 128", cifar.frozen(8), 128, 0.10),
	{work: "ResNet-LC-20-16x128 frozen train step, batch 128, beside our baseline's", must: 1.20, of: duration,
		ours: stepsOf(cifar.frozen(128), 128), peer: stepsOf(cifar, 128)},
	formRow("ResNet-LC-20-16x1, the form that is chosen beside the merged one", cifar.frozen(1), trainstep.Merged),
	formRow("ResNet-LC-20-16x2, the form that is chosen beside two convolutions", cifar.frozen(2), trainstep.TwoConv),
	formRow("ResNet-20-16 with a depthwise bank, E = 1, the form that is chosen beside the merged one", cifar.depthwise(1), trainstep.Merged),
	formRow("ResNet-20-16 with a depthwise bank, E = 2, the form that is chosen beside two convolutions", cifar.depthwise(2), trainstep.TwoConv),
	formRow("ResNet-20-16 with a depthwise bank, E = 4, the form that is chosen beside two convolutions", cifar.depthwise(4), trainstep.TwoConv),
	trainRow("ResNet-18 train step, 224×224, batch 16", zoo("resnet18"), 16, 1),
	trainRow("ResNet-18 x1 frozen train step, 224×224, batch 16", zoo("resnet18").frozen(1), 16, 0.8),
	trainRow("MobileNet v2 x1 frozen train step, 224×224, batch 16", zoo("mobilenet_v2").frozen(1), 16, 1),
	{work: "CIFAR-10 epoch of ResNet-20-16 with augmentation, per step, beside the step alone", must: 1.03, of: duration,
		ours: epochStepsOf(cifar, 128, cifarData), peer: stepsOf(cifar, 128)},
	{work: "epoch of JPEG files of ResNet-18, 224×224, per step of 16, beside the step alone", must: 1.03, of: duration,
		ours: epochStepsOf(zoo("resnet18"), 16, jpegData), peer: stepsOf(zoo("resnet18"), 16)},
	evaluationRow("evaluation of ResNet-LC-20-16x8 on 4096 images, beside the source's", cifar.frozen(8)),
	evaluationRow("evaluation of ResNet-LC-20-16x64 on 4096 images, beside the source's", cifar.frozen(64)),
	{work: "epoch of ResNet-LC-20-16x64 on 5120 images, evaluated on 1024, beside our baseline's", must: 1.15, of: duration,
		ours: onData("rcfreeze", "epoch", cifar.frozen(64), 128, tenthData), peer: onData("rcfreeze", "epoch", cifar, 128, tenthData)},
	{work: "peak memory of training ResNet-20-16, batch 128", must: 0.6, of: memory,
		ours: stepsOf(cifar, 128), peer: torchSteps(cifar, 128)},
	mergedRow("ResNet-20-16 inference, batch 1, merged beside source", cifar, 1),
	mergedRow("ResNet-20-16 inference, batch 32, merged beside source", cifar, 32),
	mergedRow("MobileNet v2 inference, 224×224, batch 1, merged beside source", zoo("mobilenet_v2"), 1),
	mergedRow("MobileNet v2 inference, 224×224, batch 32, merged beside source", zoo("mobilenet_v2"), 32),
	{work: "convert ResNet-50, random pointwise, beside copying the file", must: 3, of: duration,
		ours: command("convert", zoo("resnet50"), "--pointwise", "random"), peer: copying(zoo("resnet50"))},
	{work: "convert ResNet-50, projection, E = 1, in ms", must: 10_000, of: duration,
		ours: command("convert", zoo("resnet50"), "--pointwise", "project")},
	{work: "inspect ResNet-50, in ms", must: 100, of: duration, ours: command("inspect", zoo("resnet50"))},
}

func trainRow(work string, m model, batch int, must float64) row {
	return row{work: work, ours: stepsOf(m, batch), peer: torchSteps(m, batch), must: must, of: duration}
}

func mergedRow(work string, m model, batch int) row {
	return row{work: work, ours: inferences(m.merged(), batch), peer: inferences(m, batch), must: 1.02, of: duration}
}

func formRow(work string, m model, other trainstep.BlockForm) row {
	peer := stepsOf(m, 128, "--block-form", string(other))
	peer.name = string(other)
	return row{work: work, ours: stepsOf(m, 128), peer: peer, must: 1.05, of: duration}
}

func evaluationRow(work string, m model) row {
	return row{work: work, ours: onData("rcfreeze", "evaluation", m, 128, testData), peer: onData("source", "evaluation", cifar, 128, testData), must: 1.15, of: duration}
}
