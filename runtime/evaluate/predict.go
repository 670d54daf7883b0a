package evaluate

import (
	"context"
	"errors"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/head"
)

// Predict runs fitted over the images of a data set and ignores their labels. fitted and image are as for Measure, and Epsilon is
// ignored. Predict calls each for every image, with its index and the probabilities of the model's classes: the Softmax of the
// logits, whether the Softmax is in the model or not. If the model ends in a Sigmoid of several numbers, these are the
// probabilities, and each is independent of the others. Call ort.Init first.
func Predict(ctx context.Context, fitted *onnxgraph.Model, image string, set *dataset.Dataset, o Options, each func(i int, probabilities []float64)) error {
	o.Epsilon = 0
	output, err := head.Logits(fitted)
	if err != nil {
		return err
	}
	last := head.LastOperator(output)
	byThemselves := last != nil && last.Is("Sigmoid") && !head.IsBinary(output)
	e, err := open(fitted, image, set, o)
	if err != nil {
		return err
	}
	return errors.Join(e.predict(ctx, byThemselves, each), e.close())
}

func (e *evaluator) predict(ctx context.Context, byThemselves bool, each func(i int, probabilities []float64)) error {
	done := 0
	return e.each(ctx, func(batch *dataset.Batch, logits []float32) error {
		classes := len(logits) / e.options.BatchSize
		for i := range batch.Count {
			p := softmax(logits[i*classes:][:classes], byThemselves)
			if math.IsNaN(p[0]) {
				return errors.New("predicting: the model's outputs are not finite numbers: its weights or its input are damaged")
			}
			each(done+i, p)
		}
		done += batch.Count
		return nil
	})
}

// softmax returns the probabilities of a row of logits. If the row already has probabilities, softmax copies it.
func softmax(row []float32, already bool) []float64 {
	p := make([]float64, len(row))
	top, sum := row[largest(row)], 0.0
	for i, v := range row {
		if p[i] = float64(v); !already {
			p[i] = math.Exp(float64(v - top))
		}
		sum += p[i]
	}
	if !already {
		for i := range p {
			p[i] /= sum
		}
	}
	return p
}
