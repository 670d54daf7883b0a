package transform_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/convcases"
	"github.com/rcfreeze/rcfreeze/transform/projection"
)

// passes is all that reads the records of blocks.
var passes = map[string]func(m *onnxgraph.Model) error{
	"Blocks":      func(m *onnxgraph.Model) error { return second(transform.Blocks(m)) },
	"HasDrawn":    func(m *onnxgraph.Model) error { return second(transform.HasDrawn(m)) },
	"Plan":        func(m *onnxgraph.Model) error { return second(transform.Plan(m, transform.Options{})) },
	"PlanChoices": func(m *onnxgraph.Model) error { return second(transform.PlanChoices(m, transform.Options{})) },
	"Convert":     func(m *onnxgraph.Model) error { return second(transform.Convert(m, transform.Options{})) },
	"Merge":       func(m *onnxgraph.Model) error { return second(transform.Merge(m)) },
	"FoldBatchNorm": func(m *onnxgraph.Model) error {
		return second(transform.FoldBatchNorm(m))
	},
	"AddBatchNorm": func(m *onnxgraph.Model) error { return second(transform.AddBatchNorm(m)) },
	"Parameters":   func(m *onnxgraph.Model) error { return second(transform.Parameters(m)) },
	"FindLeftOut":  func(m *onnxgraph.Model) error { return second(transform.FindLeftOut(m)) },
	"Trained":      func(m *onnxgraph.Model) error { return second(transform.Frozen.Trained(m)) },
	"Reinit":       func(m *onnxgraph.Model) error { return second(transform.Reinit(m, transform.ReinitOptions{})) },
	"Start":        func(m *onnxgraph.Model) error { return transform.Learned.Start(m, 1, true) },
	"ReplaceHead":  func(m *onnxgraph.Model) error { return second(transform.ReplaceHead(m, 7, 1)) },
}

// wideCase is a convolution with a weight that is large enough for a file of its own.
var wideCase = convcases.Case{Input: []int64{1, 8, 3, 3}, Filters: 10, Kernel: []int64{3, 3}, Bias: true}

// TestDamageIsTold has each pass read a model whose record is damaged, and one whose bank cannot be read: it says so, and
// leaves the model as it is.
func TestDamageIsTold(t *testing.T) {
	for name, pass := range passes {
		for _, want := range []string{"is no record", `block "conv": its bank "conv.bank": `} {
			m := converted(t, wideCase, transform.Options{})
			if err := pass(m.Clone()); err != nil && name != "ReplaceHead" { // which refuses a head in a block
				t.Fatalf("%s: before: %v", name, err)
			}
			if want == "is no record" {
				m.SetMetadata("rcfreeze.block.conv", "{")
			} else {
				m = convcases.WithoutData(t, m)
			}
			operators, parameters, names := census(m)
			record := m.Metadata("rcfreeze.block.conv")
			if err := pass(m); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v, want one with %q", name, err, want)
			}
			after, count, left := census(m)
			if !maps.Equal(operators, after) || parameters != count || !maps.Equal(names, left) || m.Metadata("rcfreeze.block.conv") != record {
				t.Errorf("%s: the model was changed", name)
			}
		}
	}
}

// TestUnreadableFilters has whatever computes with filters name the convolution whose filters cannot be read, with and without
// somebody who watches.
func TestUnreadableFilters(t *testing.T) {
	calls := 0
	watch := func(done, total int) error {
		calls++
		return nil
	}
	for name, pass := range map[string]func(m *onnxgraph.Model, o transform.Options) error{
		"project": func(m *onnxgraph.Model, o transform.Options) error { return second(transform.Convert(m, o)) },
		"identity": func(m *onnxgraph.Model, o transform.Options) error {
			o.Pointwise = transform.Identity
			return second(transform.Convert(m, o))
		},
		"plan": func(m *onnxgraph.Model, o transform.Options) error {
			o.MaxError = 0.1
			return second(transform.Plan(m, o))
		},
		"choices": func(m *onnxgraph.Model, o transform.Options) error { return second(transform.PlanChoices(m, o)) },
	} {
		for _, o := range []transform.Options{{}, {Progress: watch}, {KernelSize: 5}} {
			err := pass(convcases.WithoutData(t, wideCase.Model()), o)
			if err == nil || !strings.Contains(err.Error(), `convolution "conv": `) || !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s: got error %v", name, err)
			}
		}
	}
	if calls > 0 {
		t.Errorf("told %d times that it was done", calls)
	}
}

// TestDataGoneAfterMerging loses the bank, or the 1×1 weight, too, between merging and saving.
func TestDataGoneAfterMerging(t *testing.T) {
	for _, expansion := range []int{1, 4} { // in the second case, the 1×1 weight is large enough for the data file
		folder := t.TempDir()
		path := filepath.Join(folder, "m.onnx")
		if err := converted(t, wideCase, transform.Options{Expansion: expansion}).Save(path, onnxgraph.ExternalAll); err != nil {
			t.Fatal(err)
		}
		m, err := onnxgraph.Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := transform.Merge(m); err != nil {
			t.Fatal(err)
		}
		data, err := filepath.Glob(path + ".*.data")
		if err != nil || len(data) != 1 {
			t.Fatalf("data files: %v, %v", data, err)
		}
		if err := os.Remove(data[0]); err != nil {
			t.Fatal(err)
		}
		if _, err := m.Bytes(); err == nil || !strings.Contains(err.Error(), `merging block "conv": `) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("expansion %d: got error %v", expansion, err)
		}
	}
}

// brokenCalibration fails in one of its methods.
type brokenCalibration struct {
	oneAll
	method string
}

var errBroken = errors.New("broken")

func (b brokenCalibration) fail(method string) error {
	if b.method == method {
		return errBroken
	}
	return nil
}

func (b brokenCalibration) Reach(transform.Layer) error { return b.fail("Reach") }

func (b brokenCalibration) Moments(l transform.Layer) (projection.Moments, error) {
	m, _ := b.oneAll.Moments(l)
	return m, b.fail("Moments")
}

func (b brokenCalibration) Replace(transform.Layer, []float64, []float64) error {
	return b.fail("Replace")
}

// TestCalibrationFails returns what a calibration says.
func TestCalibrationFails(t *testing.T) {
	for _, method := range []string{"", "Reach", "Moments", "Replace"} {
		o := transform.Options{Pointwise: transform.Calibrate, Calibration: brokenCalibration{method: method}}
		_, err := transform.Convert(wideCase.Model(), o)
		if errors.Is(err, errBroken) != (method != "") || err != nil && !strings.Contains(err.Error(), `convolution "conv": `) {
			t.Errorf("%s fails: got error %v", method, err)
		}
	}
	if _, err := transform.Convert(wideCase.Model(), transform.Options{Pointwise: transform.Calibrate}); err == nil || !strings.Contains(err.Error(), "there is none") {
		t.Errorf("without data: got error %v", err)
	}
}
