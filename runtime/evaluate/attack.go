package evaluate

import (
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// addRobust attacks a batch, and counts the model's results on the attacked images.
func (e *evaluator) addRobust(t *tally, batch *dataset.Batch) error {
	gradient, err := e.gradient(batch.Images, batch.Labels)
	if err != nil {
		return err
	}
	adversarial := fgsm(batch.Images, gradient, e.set.Shape, e.options.Normalize, e.options.Epsilon)
	logits, err := e.forward.run(adversarial, nil, trainstep.LogitsOutput)
	if err != nil {
		return err
	}
	return t.add(logits, batch.Labels[:batch.Count], e.options.BatchSize)
}

// gradient returns the gradient of the loss with respect to the images. It is valid until the next call.
func (e *evaluator) gradient(images []float32, labels []int64) ([]float32, error) {
	return e.attack.run(images, labels, trainstep.ImageGradientOutput)
}

// fgsm is the fast gradient sign method (Goodfellow et al. 2015) on pixels in [0, 1]:
//
//	x' = clip(x + ε·sign(∂loss/∂x), 0, 1)
//
// images and gradient are normalized, [N, C, H, W]; the gradient with respect to the pixels has the same sign, because
// normalization divides by a positive number.
func fgsm(images, gradient []float32, shape dataset.Shape, n dataset.Normalization, epsilon float64) []float32 {
	out := make([]float32, len(images))
	plane := shape.Height * shape.Width
	for i, x := range images {
		mean, std := 0.0, 1.0
		if n.Std != nil {
			c := i / plane % shape.Channels
			mean, std = n.Mean[c], n.Std[c]
		}
		pixel := float64(x)*std + mean
		switch {
		case gradient[i] > 0:
			pixel += epsilon
		case gradient[i] < 0:
			pixel -= epsilon
		}
		out[i] = float32((min(max(pixel, 0), 1) - mean) / std)
	}
	return out
}
