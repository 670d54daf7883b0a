package compare_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

func newPlan(t *testing.T) *compare.Plan {
	t.Helper()
	orttest.Init(t)
	recipe := train.PaperRecipe()
	recipe.Epochs, recipe.BatchSize = 1, 16
	p := &compare.Plan{
		Model: transformtest.ResNet(t, 1, datasettest.Side, datasettest.Classes), Variants: parameter.Variants(), Axes: compare.Axes{Expansions: []int{1, 2}}, Seeds: []uint64{0, 1},
		Convert: transform.Options{Pointwise: transform.Random}, Recipe: recipe, Epsilon: 1.0 / 255,
		Normalize: dataset.Normalization{Mean: []float64{0.3}, Std: []float64{0.2}},
		Session:   orttest.Options(t), Folder: filepath.Join(t.TempDir(), "comparison"),
	}
	p.Train, p.Test = datasettest.OpenCorners(t, 64, 20)
	p.Choose = p.Test
	return p
}

// TestAllVariants compares everything with everything: which parameters each variant trains, stores and
// deploys follows from the architecture.
func TestAllVariants(t *testing.T) {
	p := newPlan(t)
	rows, err := p.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if len(rows) != 2*(1+1+2+2) {
		t.Fatalf("%d rows, want 12", len(rows))
	}
	first := map[string]compare.Row{}
	for _, r := range rows {
		if r.Samples != 20 || r.RobustTop1 == nil || r.Top1 < 0 || r.Top1 > 1 || !(r.Loss > 0) {
			t.Errorf("%s x%d seed %d: measured %+v", r.Variant, r.Expansion, r.Seed, r.Result)
		}
		if r.Expansion < 2 && r.Seed == 0 {
			first[string(r.Variant)] = r
		}
	}
	base, frozenBase, frozen, learned := first["baseline"], first["frozen-baseline"], first["frozen"], first["learned"]
	if base.Trained != base.Parameters || frozenBase.Trained >= base.Trained || frozenBase.Parameters != base.Parameters {
		t.Errorf("baseline %+v, frozen baseline %+v", base, frozenBase)
	}
	if learned.Trained != learned.Parameters || frozen.Trained >= learned.Trained || frozen.Parameters != learned.Parameters {
		t.Errorf("frozen %+v, learned %+v", frozen, learned)
	}
	for _, r := range rows {
		if r.Deployed != base.Parameters {
			t.Errorf("%s x%d deploys %d parameters, the source has %d", r.Variant, r.Expansion, r.Deployed, base.Parameters)
		}
	}
	table, err := os.ReadFile(filepath.Join(p.Folder, "comparison.csv"))
	if err != nil || strings.Count(string(table), "\n") != 13 {
		t.Errorf("the table: %v\n%s", err, table)
	}
	for _, name := range []string{"baseline-seed0", "frozen-x2-random-seed1", "learned-x1-random-seed0"} {
		m, err := onnxgraph.Load(filepath.Join(p.Folder, folderOf(t, p, name), "model.onnx"))
		if err != nil {
			t.Error(err)
		} else if _, err := transform.Blocks(m); err != nil {
			t.Error(err)
		}
	}
}

// TestResume stops a comparison in its second run: what is done is kept, the rest gives what an
// uninterrupted comparison gives.
func TestResume(t *testing.T) {
	whole := newPlan(t)
	whole.Variants, whole.Expansions = []parameter.Variant{parameter.Baseline, parameter.Frozen}, []int{1}
	want, err := whole.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	p := newPlan(t)
	p.Variants, p.Expansions, p.Train, p.Choose, p.Test = whole.Variants, whole.Expansions, whole.Train, whole.Choose, whole.Test
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	steps, started := 0, 0
	p.Progress = func(train.Progress) {
		if steps++; steps == 6 { // a run has 4
			stop()
		}
	}
	if rows, err := p.Do(ctx); err == nil || len(rows) != 1 {
		t.Fatalf("stopped after %d rows with error %v", len(rows), err)
	}
	left := filepath.Join(p.Folder, folderOf(t, p, "baseline-seed0"), ".rcfreeze-0123456789abcdef") // by a process that was killed
	if err := errors.Join(os.Mkdir(left, 0o700), os.WriteFile(filepath.Join(left, "lock"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	p.Progress = nil
	p.Measured = func(train.Row) { started++ }
	got, err := p.Do(context.Background())
	if _, err := os.Stat(left); err == nil {
		t.Errorf("%s, which a killed process left beside a finished run, is still there", left)
	}
	if err != nil {
		t.Fatal(err)
	}
	if started != 3 {
		t.Errorf("%d runs were trained after resuming, want 3", started)
	}
	for i := range want {
		got[i].Seconds = want[i].Seconds
		if got[i].Loss != want[i].Loss || got[i].Top1 != want[i].Top1 || got[i].Variant != want[i].Variant {
			t.Errorf("row %d is %+v, want %+v", i, got[i], want[i])
		}
	}
}

// TestOrderOfFiles looks into the folder before each run, as a kill would leave it: it says what its runs are made of, and has
// the results of those that are finished. Meanwhile another process is refused.
func TestOrderOfFiles(t *testing.T) {
	p := quick(t)
	p.Seeds = []uint64{0, 1}
	second := *p
	is := func(pattern string) bool {
		found, err := filepath.Glob(filepath.Join(p.Folder, pattern))
		return err == nil && len(found) > 0
	}
	before := 0
	p.Started = func(string, int, int) {
		first := before == 1
		if is("experiment.json") != first || is("frozen-x1-random-seed0-*/result.json") != first || is("frozen-x1-random-seed0-*/model.onnx") != first || is("comparison.csv") != first {
			t.Errorf("before run %d, the folder has %v", before, slices.Collect(maps.Keys(files(t, p.Folder))))
		}
		before++
		_, err := second.Do(context.Background())
		for _, err := range []error{err, compare.Check(p.Folder)} {
			if want := fmt.Sprintf("process %d ", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("a second comparison in the folder: %v", err)
			}
		}
	}
	told := ""
	p.Tabled = func(table compare.Table) error {
		told += fmt.Sprintf("%d rows, %d open; ", len(table.Rows), table.Open)
		if !is("comparison.csv") || table.Source.Images != 64 || compare.Check(p.Folder) == nil {
			t.Errorf("with %s %+v", told, table.Source)
		}
		return nil
	}
	p.Progress = func(train.Progress) {
		if !is("experiment.json") {
			t.Error("a step is done, and nothing says what the runs are made of")
		}
	}
	if _, err := p.Do(context.Background()); err != nil || before != 2 {
		t.Fatalf("%d runs, error %v", before, err)
	}
	if want := "1 rows, 1 open; 2 rows, 0 open; 2 rows, 0 open; "; told != want {
		t.Errorf("the table was told as %s, want %s", told, want)
	}
	if is("lock") {
		t.Error("the lock's file is left")
	}
}

// TestDamagedResult damages the result of a finished run: it is measured again, and is the same.
func TestDamagedResult(t *testing.T) {
	p := quick(t)
	want, err := p.Do(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.Folder, want[0].Folder, "result.json")
	if err := os.Truncate(path, 20); err != nil {
		t.Fatal(err)
	}
	p.Progress = func(train.Progress) { t.Error("the run is trained again") }
	said := ""
	p.Warned = func(line string) { said += line }
	got, err := p.Do(context.Background())
	if err != nil || len(got) != 1 || got[0] != want[0] || !strings.Contains(said, path) {
		t.Errorf("got %+v, want %+v; error %v; said %q", got, want, err, said)
	}
}

// TestNothingDone starts another comparison where one was killed before its first step.
func TestNothingDone(t *testing.T) {
	p := quick(t)
	ctx, stop := context.WithCancel(context.Background())
	p.Begun = func(evaluate.Result) { stop() }
	if _, err := p.Do(ctx); err == nil {
		t.Fatal("it was not stopped")
	}
	if _, err := os.Stat(filepath.Join(p.Folder, "experiment.json")); err != nil {
		t.Fatalf("this tests nothing: %v", err)
	}
	p.Begun, p.Recipe.LearningRate = nil, 0.02
	if rows, err := p.Do(context.Background()); err != nil || len(rows) != 1 {
		t.Errorf("%d runs, error %v", len(rows), err)
	}
}

// quick makes a plan of one run of a moment.
func quick(t *testing.T) *compare.Plan {
	t.Helper()
	p := newPlan(t)
	p.Variants, p.Expansions, p.Seeds, p.Epsilon = []parameter.Variant{parameter.Frozen}, []int{1}, []uint64{0}, 0
	return p
}

// TestOtherExperiment resumes a comparison with each setting changed that decides its results: it is refused, and the error
// names the setting. Nothing in the folder changes.
func TestOtherExperiment(t *testing.T) {
	p := quick(t)
	if _, err := p.Do(context.Background()); err != nil {
		t.Fatal(err)
	}
	before := files(t, p.Folder)
	for name, c := range map[string]struct {
		change func(p *compare.Plan)
		want   []string
	}{
		"model":         {func(p *compare.Plan) { p.Model = p.Model.Clone(); p.Model.SetMetadata("a", "b") }, []string{"model was"}},
		"training data": {func(p *compare.Plan) { p.Train = p.Test }, []string{"training_data was", "training_images was 64 and is now 20"}},
		"other images": {func(p *compare.Plan) {
			_, p.Test = datasettest.OpenCorners(t, 64, 21)
		}, []string{"test_data was"}},
		"normalization": {func(p *compare.Plan) { p.Normalize.Mean = []float64{0.4} }, []string{"normalization was"}},
		"choice of convolutions": {func(p *compare.Plan) { p.Convert.MinKernel, p.Convert.Skip = 2, []string{"conv1"} },
			[]string{"min_kernel was 0 and is now 2", "skip was [] and is now [conv1]"}},
		"reinit":      {func(p *compare.Plan) { p.Reinit = true }, []string{"reinit was false and is now true"}},
		"num-classes": {func(p *compare.Plan) { p.Classes = datasettest.Classes }, []string{"num_classes was 0 and is now 4"}},
		"epsilon":     {func(p *compare.Plan) { p.Epsilon, p.Seeds = 1.0/255, []uint64{0, 1} }, []string{"epsilon was 0 and is now 0.0039"}},
		"recipe":      {func(p *compare.Plan) { p.Recipe.LearningRate, p.Recipe.Epochs = 0.5, 2 }, []string{"lr was 0.01 and is now 0.5", "epochs was 1 and is now 2"}},
		"threads":     {func(p *compare.Plan) { p.Session.IntraOpThreads = 2 }, []string{"threads was 1 and is now 2"}},
	} {
		t.Run(name, func(t *testing.T) {
			other := *p
			c.change(&other)
			_, err := other.Do(context.Background())
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v lacks %q", err, want)
				}
			}
			if !maps.Equal(files(t, p.Folder), before) {
				t.Error("files in the folder have changed")
			}
		})
	}
	experiment := filepath.Join(p.Folder, "experiment.json")
	older := strings.Replace(before[experiment], `"bank": ""`, `"bank": "kaiming-uniform"`, 1)
	if err := os.WriteFile(experiment, []byte(older), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "an older version") {
		t.Errorf("a comparison that an older version began: %v", err)
	}
	os.Remove(experiment)
	if _, err := p.Do(context.Background()); err == nil || !strings.Contains(err.Error(), "no experiment.json") {
		t.Errorf("results of which nobody knows what made them: %v", err)
	}
}

// folderOf returns the folder of a run of the given name.
func folderOf(t *testing.T, p *compare.Plan, name string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(p.Folder, name+"-????????"))
	if err != nil || len(found) != 1 {
		t.Fatalf("the folders of %s are %v, want one", name, found)
	}
	return filepath.Base(found[0])
}

// files returns the contents of all files in a folder.
func files(t *testing.T, folder string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		all[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestMoreRuns goes on with other variants, expansions and seeds of an experiment: what is returned, and the table, hold all runs
// of the folder in order, and those that are there already are not trained again.
func TestMoreRuns(t *testing.T) {
	p := quick(t)
	p.Convert = transform.Options{Pointwise: transform.Random}
	p.Epsilon = 1.0 / 255
	for i, c := range []struct {
		variants   []parameter.Variant
		expansions []int
		seeds      []uint64
		trained    int
		want       string
	}{
		{[]parameter.Variant{"frozen"}, []int{2}, []uint64{1}, 1, "frozen x2 1"},
		{[]parameter.Variant{"frozen", "baseline"}, []int{1}, []uint64{1, 1}, 2, "baseline x0 1, frozen x1 1, frozen x2 1"},
		{[]parameter.Variant{"frozen"}, []int{2}, []uint64{0, 1}, 1, "baseline x0 1, frozen x1 1, frozen x2 0, frozen x2 1"},
		{[]parameter.Variant{"frozen"}, []int{2}, []uint64{0, 1}, 0, "baseline x0 1, frozen x1 1, frozen x2 0, frozen x2 1"},
	} {
		kept, trained := 0, 0
		p.Variants, p.Expansions, p.Seeds = c.variants, c.expansions, c.seeds
		p.Convert.Bank = []string{"", "kaiming-uniform"}[i%2] // which are the same
		p.Kept = func(runs int) { kept = runs }
		p.Started = func(string, int, int) { trained++ }
		rows, err := p.Do(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		var got, table []string
		for _, r := range rows {
			got = append(got, fmt.Sprintf("%s x%d %d", r.Variant, r.Expansion, r.Seed))
			kind := ",,,"
			if r.Variant.HasBlocks() {
				kind = "none,dense,kaiming-uniform,random"
			}
			table = append(table, fmt.Sprintf("%s,%d,0,%s,%d", r.Variant, r.Expansion, kind, r.Seed))
		}
		if text := strings.Join(got, ", "); text != c.want || trained != c.trained || kept != len(rows)-trained {
			t.Errorf("%d: got %s, want %s; %d trained, want %d; %d kept", i, text, c.want, trained, c.trained, kept)
		}
		csv, err := os.ReadFile(filepath.Join(p.Folder, "comparison.csv"))
		lines := strings.Split(strings.TrimSpace(string(csv)), "\n")
		if err != nil || len(lines) != 1+len(rows) {
			t.Fatalf("%d: the table has %d lines, want %d: %v", i, len(lines), 1+len(rows), err)
		}
		for j, line := range lines[1:] {
			if !strings.HasPrefix(line, table[j]+",") {
				t.Errorf("%d: line %d of the table is %s, want %s", i, j, line, table[j])
			}
		}
	}
}

// TestBadPlans finds faults before anything is trained.
func TestBadPlans(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*compare.Plan)
		want   []string
	}{
		"nothing":      {func(p *compare.Plan) { p.Variants = nil }, []string{"the plan is empty"}},
		"unknown":      {func(p *compare.Plan) { p.Variants = []parameter.Variant{"warm"} }, []string{`"warm"`, "baseline"}},
		"no expansion": {func(p *compare.Plan) { p.Expansions = []int{-1}; p.Variants = []parameter.Variant{"frozen", "learned"} }, []string{"frozen-x-1-random-seed0", "learned-x-1-random-seed1"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPlan(t)
			c.change(p)
			_, err := p.Do(context.Background())
			for _, want := range c.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v lacks %q", err, want)
				}
			}
			if _, err := os.Stat(p.Folder); err == nil {
				t.Error("the folder was made all the same")
			}
		})
	}
}

// TestSummary takes means and sample standard deviations over seeds.
func TestSummary(t *testing.T) {
	row := func(v parameter.Variant, e int, top1 float64) compare.Row {
		return compare.Row{Cell: compare.Cell{Variant: v, Blocks: compare.Blocks{Expansion: e}}, Result: evaluate.Result{Top1: top1}}
	}
	got := compare.Summarize([]compare.Row{
		row("frozen", 1, 0.5), row("frozen", 2, 0.9), row("frozen", 1, 0.7), row("baseline", 0, 0.8), row("frozen", 1, 0.6),
	})
	if len(got) != 3 || got[0].Seeds != 3 || got[1].Expansion != 2 || got[2].Variant != "baseline" {
		t.Fatalf("got %+v", got)
	}
	if math.Abs(got[0].Top1-0.6) > 1e-12 || math.Abs(got[0].Top1Std-0.1) > 1e-12 || got[2].Top1Std != 0 {
		t.Errorf("got mean %g, deviation %g", got[0].Top1, got[0].Top1Std)
	}
}
