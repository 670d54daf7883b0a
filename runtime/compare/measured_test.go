package compare_test

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestRowsAreOfTheModels measures the models that a comparison has written: each row says what its model does, also under attack,
// and not what it did in an earlier epoch or before it was trained.
func TestRowsAreOfTheModels(t *testing.T) {
	t.Parallel()
	p := newPlan(t)
	p.Variants, p.Expansions, p.Seeds = []parameter.Variant{parameter.Baseline, parameter.Frozen}, []int{2}, []uint64{3}
	p.Recipe.Epochs, p.Recipe.LearningRate, p.Epsilon = 6, 0.05, 0.2
	rows, err := p.Do(t.Context())
	if err != nil || len(rows) != 2 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	fooled := false
	for i, name := range []string{"baseline-seed3", "frozen-x2-random-seed3"} {
		m, err := onnxgraph.Load(filepath.Join(p.Folder, folderOf(t, p, name), "model.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		fitted, image, err := specialize.Fit(m, []int64{5, 1, datasettest.Side, datasettest.Side})
		if err != nil {
			t.Fatal(err)
		}
		want, err := evaluate.Measure(t.Context(), fitted, image, p.Test, evaluate.Options{BatchSize: 5, Normalize: p.Normalize, Epsilon: p.Epsilon, Session: p.Session})
		if err != nil {
			t.Fatal(err)
		}
		got := rows[i].Result
		if got.Samples != want.Samples || got.Top1 != want.Top1 || got.Top5 != want.Top5 || math.Abs(got.Loss-want.Loss) > 1e-4*want.Loss || *got.RobustTop1 != *want.RobustTop1 {
			t.Errorf("%s: the row says %+v, under attack %g; its model has %+v, %g", name, got, *got.RobustTop1, want, *want.RobustTop1)
		}
		fooled = fooled || *want.RobustTop1 < want.Top1
	}
	if !fooled {
		t.Error("the attack fools no model: this tests little")
	}
}
