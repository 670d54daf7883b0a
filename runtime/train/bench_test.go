package train_test

import (
	"fmt"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// benchmarkModel returns ResNet-20-16 for CIFAR-10 with frozen blocks, or the source for an expansion of 0, and what trains.
func benchmarkModel(b *testing.B, expansion int) (*onnxgraph.Model, train.Recipe) {
	b.Helper()
	orttest.Init(b)
	m, err := architecture.New("cifar-resnet", architecture.Options{})
	if err != nil {
		b.Fatal(err)
	}
	variant := parameter.Baseline
	if expansion > 0 {
		variant = parameter.Frozen
		if _, err := transform.Convert(m, transform.Options{Expansion: expansion, Pointwise: transform.Random}); err != nil {
			b.Fatal(err)
		}
	}
	r := train.PaperRecipe()
	if err := r.Select(m, variant); err != nil {
		b.Fatal(err)
	}
	return m, r
}

// BenchmarkStep takes training steps.
func BenchmarkStep(b *testing.B) {
	for _, expansion := range []int{0, 1, 8} {
		for _, batch := range []int64{8, 128} {
			b.Run(fmt.Sprintf("expansion %d/batch %d", expansion, batch), func(b *testing.B) {
				m, r := benchmarkModel(b, expansion)
				step, err := train.Step(m, []int64{batch, 3, 32, 32}, r.StepOptions())
				if err != nil {
					b.Fatal(err)
				}
				stepper, err := train.OpenStep(step, ort.Options{Provider: orttest.Provider(b)})
				if err != nil {
					b.Fatal(err)
				}
				defer stepper.Close()
				for b.Loop() {
					if err := stepper.Step(); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkBuild makes a training step and opens its session.
func BenchmarkBuild(b *testing.B) {
	m, r := benchmarkModel(b, 0)
	for b.Loop() {
		step, err := train.Step(m, []int64{8, 3, 32, 32}, r.StepOptions())
		if err != nil {
			b.Fatal(err)
		}
		stepper, err := train.OpenStep(step, ort.Options{Provider: orttest.Provider(b)})
		if err != nil {
			b.Fatal(err)
		}
		stepper.Close()
	}
}
