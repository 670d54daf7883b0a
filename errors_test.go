package rcfreeze_test

import (
	"context"
	"errors"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestErrorsCanBeToldApart makes an error of each kind that programs may want to tell apart.
func TestErrorsCanBeToldApart(t *testing.T) {
	ctx, data := context.Background(), rcfreeze.Data{Path: stripesFolder}
	open := func() *rcfreeze.Model {
		m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
		if err != nil {
			t.Fatal(err)
		}
		return m
	}
	is := func(target error) func(error) bool { return func(err error) bool { return errors.Is(err, target) } }
	quick := func(rate float64) rcfreeze.Settings {
		return rcfreeze.Settings{Recipe: func(r *train.Recipe) { r.Epochs, r.BatchSize, r.LearningRate = 1, 20, rate }}
	}
	for name, c := range map[string]struct {
		run   func() error
		isOne func(error) bool
	}{
		"ErrNoLibrary": {func() error {
			_, err := rcfreeze.Evaluate(ctx, open(), rcfreeze.EvaluateOptions{Data: data, Runtime: rcfreeze.Runtime{Library: "none"}})
			return err
		}, is(rcfreeze.ErrNoLibrary)},
		"ErrNotConverted": {func() error {
			_, err := rcfreeze.Convert(ctx, open(), rcfreeze.ConvertOptions{Blocks: transform.Options{Skip: []string{"*"}}})
			return err
		}, is(rcfreeze.ErrNotConverted)},
		"ErrDiverged": {func() error {
			_, err := rcfreeze.Train(ctx, open(), rcfreeze.TrainOptions{Data: data, Settings: quick(1e30)})
			return err
		}, is(rcfreeze.ErrDiverged)},
		"ErrNotEqual": {func() error {
			b, err := rcfreeze.Convert(ctx, open(), rcfreeze.ConvertOptions{Blocks: transform.Options{Expansion: 8}})
			if err != nil {
				return err
			}
			_, err = rcfreeze.Export(ctx, b.Model, rcfreeze.ExportOptions{Tolerance: -1})
			return err
		}, is(rcfreeze.ErrNotEqual)},
		"NoGradientError": {func() error {
			m := open()
			for _, n := range m.Graph.Nodes() {
				if n.Is("Relu") {
					n.SetOpType("Atan")
				}
			}
			_, err := rcfreeze.Train(ctx, m, rcfreeze.TrainOptions{Data: data, Settings: quick(0.01)})
			return err
		}, func(err error) bool {
			var none *rcfreeze.NoGradientError
			return errors.As(err, &none) && len(none.Faults) > 0 && none.Faults[0].Node.Is("Atan")
		}},
		"OptionsError": {func() error {
			_, err := rcfreeze.Train(ctx, open(), rcfreeze.TrainOptions{Data: data, Keep: "first", NumClasses: 1})
			return err
		}, func(err error) bool {
			var wrong *rcfreeze.OptionsError
			return errors.As(err, &wrong)
		}},
		"context.Canceled": {func() error {
			ctx, stop := context.WithCancel(ctx)
			_, err := rcfreeze.Train(ctx, open(), rcfreeze.TrainOptions{Data: data, Settings: quick(0.01), Reporter: rcfreeze.Reporter{
				Progress: func(string, int, int, string) { stop() },
			}})
			return err
		}, is(context.Canceled)},
	} {
		if err := c.run(); err == nil || !c.isOne(err) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
