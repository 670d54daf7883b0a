package evaluate

import (
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// attacked is a naive attack on the linear net with weights w, whose gradient is w·(softmax - target). The normalization has a
// mean and a standard deviation for each channel.
func attacked(images []float32, labels []int64, w []float32, shape dataset.Shape, n dataset.Normalization, epsilon float64) []float32 {
	size := shape.Size()
	out := make([]float32, len(images))
	for s, label := range labels {
		x := images[s*size : (s+1)*size]
		var p [classes]float64
		sum := 0.0
		for k := range p {
			for i, v := range x {
				p[k] += float64(v) * float64(w[i*classes+k])
			}
			p[k] = math.Exp(p[k])
			sum += p[k]
		}
		for i, v := range x {
			g := 0.0
			for k := range p {
				target := 0.0
				if k == int(label) {
					target = 1
				}
				g += float64(w[i*classes+k]) * (p[k]/sum - target)
			}
			mean, std := n.Mean[i*shape.Channels/size], n.Std[i*shape.Channels/size]
			pixel := float64(v)*std + mean
			pixel = math.Min(math.Max(pixel+math.Copysign(epsilon, g), 0), 1)
			out[s*size+i] = float32((pixel - mean) / std)
		}
	}
	return out
}

// TestRobust compares attacked images, and the accuracy on them, with those of a naive attack: at several strengths, which are
// in units of pixels whatever the channel's normalization.
func TestRobust(t *testing.T) {
	t.Parallel()
	gray, colors := newSet(t), newColorSet(t)
	for _, c := range []struct {
		name      string
		set       *dataset.Dataset
		normalize dataset.Normalization
	}{
		{"gray", gray, normalization},
		{"no normalization", gray, dataset.Normalization{}},
		{"channels of their own", colors, dataset.Normalization{Mean: []float64{0.2, 0.5, 0.9}, Std: []float64{0.1, 0.3, 2}}},
		{"one for all channels", colors, normalization},
		{"blue first", colors, dataset.Normalization{Mean: []float64{0.2, 0.5, 0.9}, Std: []float64{0.1, 0.3, 2}, Channels: dataset.BGR}},
	} {
		t.Run(c.name, func(t *testing.T) {
			shape := c.set.Shape
			each, err := c.normalize.For(shape.Channels)
			if err != nil {
				t.Fatal(err)
			}
			if each.Std == nil {
				each = dataset.Normalization{Mean: []float64{0}, Std: []float64{1}}
			}
			images, labels := all(t, c.set, c.normalize)
			m, w := linearOn(t, 0.1, shape)
			fooled := 0
			for _, epsilon := range []float64{1.0 / 255, 4.0 / 255, 0.1} {
				adversarial := attacked(images, labels, w, shape, each, epsilon)
				want := naive(logits(t, m, adversarial), labels)
				got := measure(t, m, c.set, Options{BatchSize: 8, Normalize: c.normalize, Epsilon: epsilon})
				if got.RobustTop1 == nil || !near(*got.RobustTop1, want.Top1, 1e-9) {
					t.Errorf("ε = %g: accuracy under attack %v, want %g", epsilon, got.RobustTop1, want.Top1)
				} else if *got.RobustTop1 < got.Top1 {
					fooled++
				}
				e := newEvaluator(t, m, c.set, Options{BatchSize: samples, Normalize: c.normalize, Epsilon: epsilon})
				gradient, err := e.gradient(images, labels)
				if err != nil {
					t.Fatal(err)
				}
				for i, v := range fgsm(images, gradient, shape, e.options.Normalize, epsilon) {
					if !near(float64(v), float64(adversarial[i]), 1e-4) {
						t.Fatalf("ε = %g: number %d of the attacked images is %g, want %g", epsilon, i, v, adversarial[i])
					}
				}
			}
			if fooled == 0 {
				t.Error("no attack fools the net: this tests nothing")
			}
		})
	}
}

// TestAttack looks at the attack on a LeNet itself: the gradient of the images against a finite difference
// along the attack's direction, the size of each step, and the loss, which must rise for nearly every image.
func TestAttack(t *testing.T) {
	t.Parallel()
	const batch, epsilon = samples, 2.0 / 255
	set := newSet(t)
	m := leNet(t)
	images, labels := all(t, set, normalization)
	e := newEvaluator(t, m, set, Options{BatchSize: batch, Normalize: normalization, Epsilon: epsilon})
	gradient, err := e.gradient(images, labels)
	if err != nil {
		t.Fatal(err)
	}
	adversarial := fgsm(images, gradient, set.Shape, normalization, epsilon)

	loss := func(x []float32) float64 { return naive(logits(t, m, x), labels).Loss }
	moved := func(h float64) []float32 {
		x := make([]float32, len(images))
		for i, v := range images {
			if gradient[i] != 0 {
				v += float32(h * math.Copysign(1, float64(gradient[i])))
			}
			x[i] = v
		}
		return x
	}
	steepness := 0.0
	for _, g := range gradient {
		steepness += math.Abs(float64(g))
	}
	const h = 1e-3
	if got := (loss(moved(h)) - loss(moved(-h))) / (2 * h); !near(got, steepness, 0.01*steepness) {
		t.Errorf("along the gradient's sign the loss changes by %g, the gradient says %g", got, steepness)
	}

	for i, v := range adversarial {
		before := float64(images[i])*normalization.Std[0] + normalization.Mean[0]
		after := float64(v)*normalization.Std[0] + normalization.Mean[0]
		want := before
		if gradient[i] != 0 {
			want += math.Copysign(epsilon, float64(gradient[i]))
		}
		if want = math.Min(math.Max(want, 0), 1); !near(after, want, 1e-6) {
			t.Fatalf("pixel %d goes from %g to %g, want %g", i, before, after, want)
		}
	}
	rises := 0
	clean, attacked := logits(t, m, images), logits(t, m, adversarial)
	for i := range labels {
		row := func(l []float32) float64 { return naive(l[i*classes:(i+1)*classes], labels[i:i+1]).Loss }
		if row(attacked) > row(clean) {
			rises++
		}
	}
	if rises < samples-1 {
		t.Errorf("the loss rises for %d of %d images", rises, samples)
	}
}
