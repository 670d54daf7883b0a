package train_test

import (
	"context"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// softmaxRegression is the naive training of linear's weight, then its bias, in float64.
type softmaxRegression struct {
	w, momentum, sum [(side*side + 1) * classes]float64
}

// forward returns the probabilities of the classes for an image.
func (s *softmaxRegression) forward(image []float32) (p [classes]float64) {
	var sum float64
	for k := range p {
		z := s.w[side*side*classes+k]
		for i, x := range image {
			z += float64(x) * s.w[i*classes+k]
		}
		p[k] = math.Exp(z)
		sum += p[k]
	}
	for k := range p {
		p[k] /= sum
	}
	return p
}

// batch returns the mean loss of images and how many are right, and adds the gradient, times a share, to the sum.
func (s *softmaxRegression) batch(b *dataset.Batch, smoothing, share float64) (loss, right float64) {
	n := float64(b.Count)
	for i := range b.Count {
		image := b.Images[i*side*side : (i+1)*side*side]
		p := s.forward(image)
		best := 0
		for k := range p {
			target := smoothing / classes
			if int64(k) == int64(b.Labels[i]) {
				target += 1 - smoothing
			}
			if p[k] > p[best] {
				best = k
			}
			loss -= target * math.Log(p[k]) / n
			g := (p[k] - target) / n * share
			for j, x := range image {
				s.sum[j*classes+k] += g * float64(x)
			}
			s.sum[side*side*classes+k] += g
		}
		if int64(best) == int64(b.Labels[i]) {
			right++
		}
	}
	return loss, right
}

// update is PyTorch's SGD by the sum of gradients, clipped to a norm unless that is 0.
func (s *softmaxRegression) update(r train.Recipe, rate float64) {
	var norm float64
	for _, g := range s.sum {
		norm += g * g
	}
	scale := 1.0
	if norm = math.Sqrt(norm); r.ClipNorm > 0 && norm > r.ClipNorm {
		scale = r.ClipNorm / norm
	}
	for i := range s.w {
		g := s.sum[i]*scale + r.WeightDecay*s.w[i]
		s.momentum[i] = r.Momentum*s.momentum[i] + g
		if r.Nesterov {
			s.w[i] -= rate * (g + r.Momentum*s.momentum[i])
		} else {
			s.w[i] -= rate * s.momentum[i]
		}
	}
	clear(s.sum[:])
}

// TestSoftmaxRegression trains the smallest model beside naive code: the losses of all steps, the rows of all epochs and the weights
// in the end agree. The order of the images is that of the data set's loader.
func TestSoftmaxRegression(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		set  func(*train.Recipe)
	}{
		{"Nesterov", func(r *train.Recipe) {}},
		{"momentum, clipped", func(r *train.Recipe) { r.Nesterov, r.ClipNorm, r.LabelSmoothing = false, 0.3, 0 }},
		{"two steps make an update", func(r *train.Recipe) { r.GradAccumSteps, r.WeightDecay, r.Momentum, r.Nesterov = 2, 0.1, 0, false }},
		{"one more step than updates need", func(r *train.Recipe) { r.GradAccumSteps, r.Seed = 3, 9 }},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRun(t, linear(t), parameter.Baseline)
			r.Recipe.Epochs, r.Recipe.Schedule, r.Recipe.LearningRate = 3, "linear", 0.02
			c.set(&r.Recipe)
			var losses []float64
			r.Progress = func(p train.Progress) { losses = append(losses, p.Loss) }
			told := 0
			r.Measuring = func(done, total int) {
				if told = done; total != 30 {
					t.Errorf("%d test images are told of", total)
				}
			}
			result := do(t, r)
			if told != 30 || len(losses) != 12 {
				t.Fatalf("told of %d test images, and of %d steps", told, len(losses))
			}
			near := func(what string, got, want float64) {
				t.Helper()
				if !(math.Abs(got-want) <= 1e-4*(1+math.Abs(want))) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			var s softmaxRegression
			for i := range side * side * classes {
				s.w[i] = float64(float32(i%7-3) / side)
			}
			loader := newLoader(t, r.Train, dataset.LoaderOptions{BatchSize: 16, Shuffle: true, DropLast: true, Seed: r.Recipe.Seed, Normalize: r.Normalize})
			const steps = 4 // of 70 images in batches of 16
			group := r.Recipe.GradAccumSteps
			updates := (steps + group - 1) / group
			done, rate := 0, 0.0
			for epoch := range 3 {
				step, sum, right := 0, 0.0, 0.0
				for batch, err := range loader.Batches(context.Background(), epoch, 0) {
					if err != nil {
						t.Fatal(err)
					}
					first := step - step%group
					last := min(first+group, steps) // behind the update's last step
					loss, correct := s.batch(batch, r.Recipe.LabelSmoothing, 1/float64(last-first))
					near("loss", losses[epoch*steps+step], loss)
					sum, right, step = sum+loss, right+correct, step+1
					if step == last {
						rate = 0.02 * (1 - float64(done)/float64(3*updates))
						s.update(r.Recipe, rate)
						done++
					}
				}
				row := result.History[epoch]
				near("learning rate", row.LearningRate, rate)
				near("mean loss", row.TrainLoss, sum/steps)
				near("share of training images that are right", row.TrainTop1, right/(steps*16))
				var held softmaxRegression // for sums of its own
				held.w = s.w
				testLoss, testRight := 0.0, 0.0
				test := newLoader(t, r.Test, dataset.LoaderOptions{BatchSize: 30, Normalize: r.Normalize})
				for batch, err := range test.Batches(context.Background(), 0, 0) {
					if err != nil {
						t.Fatal(err)
					}
					testLoss, testRight = held.batch(batch, 0, 0)
				}
				near("loss on test images", row.TestLoss, testLoss)
				near("share of test images that are right", row.TestTop1, testRight/30)
			}
			for i, v := range append(constant(t, result.Model, "weight"), constant(t, result.Model, "bias")...) {
				near("weight", float64(v), s.w[i])
			}
		})
	}
}

func newLoader(t *testing.T, d *dataset.Dataset, o dataset.LoaderOptions) *dataset.Loader {
	t.Helper()
	l, err := dataset.NewLoader(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}
