package compare_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestAxes trains blocks of every kind that the axes name: each has a model of that kind, and a value that is added to an axis
// trains only what is new.
func TestAxes(t *testing.T) {
	p := quick(t)
	p.Variants = []parameter.Variant{parameter.Baseline, parameter.Frozen}
	p.Betweens, p.KernelSizes = []transform.Between{transform.None, transform.ReLU}, []int{0, 5}
	p.Layouts, p.Banks = []transform.Layout{transform.Depthwise}, []string{"orthogonal"}
	started := 0
	p.Started = func(string, int, int) { started++ }
	rows, err := p.Do(context.Background())
	if err != nil || len(rows) != 5 || started != 5 {
		t.Fatalf("%d rows of %d runs, want 5; error %v", len(rows), started, err)
	}
	for _, r := range rows {
		m := loadModel(t, filepath.Join(p.Folder, r.Folder, "model.onnx"))
		blocks, err := transform.Blocks(m)
		if err != nil {
			t.Fatal(err)
		}
		if r.Variant == parameter.Baseline {
			if len(blocks) > 0 || r.Blocks != (compare.Blocks{}) {
				t.Errorf("the baseline has %d blocks, its row says %+v", len(blocks), r.Blocks)
			}
			continue
		}
		for _, b := range blocks {
			kernel := b.Bank.Constant().Dims()[2]
			if got := b.Record; got.Between != r.Between || got.Layout != transform.Depthwise || got.Bank != "orthogonal" || got.Pointwise != transform.Random || r.KernelSize == 5 && kernel != 5 {
				t.Errorf("%s: block %s has kernel %d and %+v", r.Cell, b.Name, kernel, got)
			}
		}
	}
	if summary := compare.Summarize(rows); len(summary) != 5 || summary[1].Between != transform.None || summary[4].KernelSize != 5 || summary[4].Between != transform.ReLU {
		t.Errorf("the summary is %+v", summary)
	}
	started = 0
	p.Betweens = append(p.Betweens, transform.BatchNorm)
	more, err := p.Do(context.Background())
	if err != nil || len(more) != 7 || started != 2 {
		t.Errorf("after a value was added: %d rows of %d runs, want 7 of 2; error %v", len(more), started, err)
	}
	for _, r := range rows {
		if !slices.Contains(more, r) {
			t.Errorf("the row of %s has changed", r.Cell)
		}
	}
}

// TestFailedRuns has a run that fails between two that do not: the others go on, the table says why, and a second try trains
// only that one.
func TestFailedRuns(t *testing.T) {
	p := quick(t)
	p.Seeds = []uint64{0, 1, 2}
	p.Describe = failOn(2)
	var told []string
	p.Failed = func(name string, err error) { told = append(told, name) }
	rows, err := p.Do(context.Background())
	var failed *compare.FailedError
	if !errors.As(err, &failed) || len(failed.Faults) != 1 || failed.Runs != 3 || !errors.Is(err, errDescribed) || !strings.Contains(err.Error(), "frozen-x1-random-seed1") {
		t.Fatalf("error %v", err)
	}
	if len(rows) != 3 || rows[0].Failed != "" || rows[1].Failed != errDescribed.Error() || rows[2].Failed != "" || !slices.Equal(told, []string{"frozen-x1-random-seed1"}) {
		t.Errorf("rows %+v; told of %v", rows, told)
	}
	if s := compare.Summarize(rows); len(s) != 1 || s[0].Seeds != 2 || s[0].Failed != 1 || s[0].Top1 != (rows[0].Top1+rows[2].Top1)/2 {
		t.Errorf("the summary is %+v of %+v", s, rows)
	}
	table, err := os.ReadFile(filepath.Join(p.Folder, "comparison.csv"))
	if lines := strings.Split(string(table), "\n"); err != nil || len(lines) != 5 || !strings.HasSuffix(lines[2], ",,,,,,,,"+errDescribed.Error()) {
		t.Errorf("the table is\n%s", table)
	}
	started := 0
	p.Describe, p.Started = nil, func(string, int, int) { started++ }
	again, err := p.Do(context.Background())
	if err != nil || started != 1 || len(again) != 3 || again[0] != rows[0] || again[1].Failed != "" || again[2] != rows[2] {
		t.Errorf("the second try trains %d runs: %+v, error %v", started, again, err)
	}
}

var errDescribed = errors.New("there is no room for a description")

// failOn returns what fails to describe the model of a run, counted from 1.
func failOn(run int) func(*onnxgraph.Model) error {
	calls := 0
	return func(*onnxgraph.Model) error {
		if calls++; calls == run {
			return errDescribed
		}
		return nil
	}
}

func loadModel(t *testing.T, path string) *onnxgraph.Model {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
