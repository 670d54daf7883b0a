package train_test

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// TestPlannedMemory compares what steps are planned to take with what they take: more, since free memory is in pieces.
// Each case has a process of its own, since others leave memory that steps take first.
func TestPlannedMemory(t *testing.T) {
	peer.All(t)
	for _, c := range []plannedCase{
		{"cifar-resnet", architecture.Options{}, transform.Options{}, 64},
		{"cifar-resnet", architecture.Options{}, transform.Options{Expansion: 1, Pointwise: transform.Random}, 48},
		{"cifar-resnet", architecture.Options{}, transform.Options{Expansion: 4, Pointwise: transform.Random}, 64},
		{"vgg", architecture.Options{}, transform.Options{}, 32},
	} {
		t.Run(fmt.Sprintf("%s-x%d", c.architecture, c.convert.Expansion), func(t *testing.T) {
			if isAlone(t) {
				c.check(t)
			}
		})
	}
}

type plannedCase struct {
	architecture string
	options      architecture.Options
	convert      transform.Options
	images       int64
}

func (c plannedCase) check(t *testing.T) {
	t.Helper()
	orttest.Init(t)
	m, err := architecture.New(c.architecture, c.options)
	if err != nil {
		t.Fatal(err)
	}
	v := parameter.Baseline
	if c.convert.Expansion > 0 {
		v = parameter.Frozen
		if _, err := transform.Convert(m, c.convert); err != nil {
			t.Fatal(err)
		}
	}
	trained, err := v.Trained(m)
	if err != nil {
		t.Fatal(err)
	}
	step, err := train.Step(m, []int64{c.images, 3, 32, 32}, trainstep.Options{Trained: trained, Optimizer: trainstep.SGD{Momentum: 0.9}})
	if err != nil {
		t.Fatal(err)
	}
	stepper, err := train.OpenStep(step, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	planned, err := specialize.Peak(step.Model) // as it is lowered
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range step.State {
		planned += 4 * s.Initial.Len() // what follows; opening took the first copies
	}
	images, err := ort.InputData[float32](stepper, step.Image)
	if err != nil {
		t.Fatal(err)
	}
	clear(images) // some kernels count pages that are read, and were never written
	taken := orttest.Peak(t, func() {
		for range 2 {
			if err := stepper.Step(); err != nil {
				t.Fatal(err)
			}
		}
	})
	if err := stepper.Close(); err != nil {
		t.Fatal(err)
	}
	t.Logf("%s, expansion %d, %d images: planned %d MB, took %d MB", c.architecture, c.convert.Expansion, c.images, planned/1e6, taken/1e6)
	if ratio := float64(taken) / float64(planned); ratio < 0.8 || ratio > 1.7 {
		t.Errorf("%s, expansion %d, %d images: planned %d MB, took %d MB", c.architecture, c.convert.Expansion, c.images, planned/1e6, taken/1e6)
	}
}

// TestOutlineOfBlocks tells how the step computes frozen blocks, as one that is built by itself does.
func TestOutlineOfBlocks(t *testing.T) {
	seen := map[bool]bool{}
	for _, form := range trainstep.BlockForms() {
		r := newRun(t, converted(t, leNet(t), transform.Options{Expansion: 3}), parameter.Frozen)
		r.Recipe.Epochs, r.Recipe.BlockForm = 1, form
		var got train.Outline
		r.Outlined = func(o train.Outline) { got = o }
		measured := 0
		r.Measuring = func(done, total int) {
			if measured = done; total != 30 {
				t.Errorf("measuring %d images of 30", total)
			}
		}
		do(t, r)
		step, err := train.Step(r.Model, []int64{16, 1, side, side}, r.Recipe.StepOptions())
		if err != nil {
			t.Fatal(err)
		}
		operators, err := lowering.Lower(step.Model, step.Convolutions, r.Session)
		if err != nil {
			t.Fatal(err)
		}
		if got.TwoConv != step.TwoConv || got.Merged != step.Merged || got.TwoConv+got.Merged == 0 || !reflect.DeepEqual(got.Operators, operators) {
			t.Errorf("%s: %d blocks as two convolutions, %d merged, %+v; the step has %d, %d, %+v", form, got.TwoConv, got.Merged, got.Operators, step.TwoConv, step.Merged, operators)
		}
		if seen[got.Merged > 0] = true; measured != 30 {
			t.Errorf("%s: %d of 30 test images were measured", form, measured)
		}
	}
	if len(seen) != 2 {
		t.Error("all forms are the same: this tests too little")
	}
}
