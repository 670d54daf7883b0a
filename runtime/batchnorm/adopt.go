package batchnorm

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Adopt sets the running statistics of the BatchNormalization nodes that Options.Means names to the statistics of their inputs in
// inference, and chooses their scale and shift so that their outputs equal their inputs:
//
//	scale = √(variance + epsilon), shift = mean
//
// It is for nodes that were just added (normalization.Add): the model computes the same as without them, and nearly the same
// when training normalizes by the statistics of a batch. It uses images and averages as Recalibrate does. Call ort.Init first.
func Adopt(ctx context.Context, m *onnxgraph.Model, images *dataset.Dataset, o Options) (*Report, error) {
	report, err := adopt(ctx, m, images, o)
	if err != nil {
		return nil, fmt.Errorf("starting the batch normalizations of %s by data: %w", m.Path(), err)
	}
	return report, nil
}

func adopt(ctx context.Context, m *onnxgraph.Model, images *dataset.Dataset, o Options) (*Report, error) {
	measured, err := measure(ctx, m, images, o, trainstep.MeasurementOptions{Means: o.Means, Inference: true})
	if err != nil {
		return nil, err
	}
	return renewAll(m, measured, func(n *onnxgraph.Node) error {
		scale := slices.Clone(measured.values[n.Input(4).Name()])
		for c, variance := range scale {
			scale[c] = math.Sqrt(variance + float64(n.Float("epsilon", 1e-5)))
		}
		if err := set(n.Input(1), scale); err != nil {
			return err
		}
		return set(n.Input(2), measured.values[n.Input(3).Name()])
	})
}
