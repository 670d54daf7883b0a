package transform_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/damage"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// FuzzConvert converts models that are damaged byte by byte, by the engine, and part by part, by package damage; merges and
// folds the result, and saves it after each step. Nothing may panic, hang, or take memory out of proportion; what fails must
// leave the model as it was.
func FuzzConvert(f *testing.F) {
	paths, _ := filepath.Glob(filepath.Join(os.Getenv("RCFREEZE_MODELS"), "*.onnx"))
	for _, path := range paths {
		const small = 1 << 15 // bytes
		if data, err := os.ReadFile(path); err == nil && len(data) <= small {
			f.Add(data, uint64(len(data)), uint64(0))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte, seed, choice uint64) {
		convertAndMergeDamaged(t, damage.Model(data, seed), choice)
	})
}

// TestDamagedModels does what FuzzConvert does, to each of its seeds in a number of ways.
func TestDamagedModels(t *testing.T) {
	choice := uint64(0)
	damage.Seeds(t, "testdata/fuzz/FuzzConvert", func(t *testing.T, data []byte) {
		choice++
		convertAndMergeDamaged(t, data, choice)
	})
}

// nowhere is a folder without external data.
const nowhere = "testdata/nowhere"

// chosen returns the options of that number.
func chosen(choice uint64) transform.Options {
	next := func(n uint64) uint64 {
		i := choice % n
		choice /= n
		return i
	}
	o := transform.Options{
		Pointwise: []transform.Pointwise{transform.Project, transform.Random, transform.Identity}[next(3)],
		Layout:    []transform.Layout{transform.Dense, transform.Depthwise}[next(2)],
		Between:   []transform.Between{transform.None, transform.BatchNorm, transform.ReLU, transform.BatchNormReLU}[next(4)],
		Expansion: 1 + int(next(3)),
		Bank:      []string{"", "kaiming-normal", "orthogonal"}[next(3)],
	}
	o.KernelSize = []int{0, 2, 3, 5}[next(4)]
	return o
}

func convertAndMergeDamaged(t *testing.T, data []byte, choice uint64) {
	m, err := onnxgraph.Parse(data, nowhere)
	if err != nil {
		return
	}
	o := chosen(choice)
	planned := damage.Watch(t, len(data))
	size, ok := sizeOfBlocks(m, o)
	planned()
	if !ok {
		return
	}
	defer damage.Watch(t, len(data)+int(size))()
	before := saved(t, m)
	plan, errOfPlan := transform.Plan(m, o)
	if !bytes.Equal(saved(t, m), before) {
		t.Fatal("planning changes the model")
	}
	report, err := transform.Convert(m, o)
	if err != nil {
		if !bytes.Equal(saved(t, m), before) {
			t.Fatalf("a failed conversion changes the model: %v", err)
		}
	} else if errOfPlan != nil {
		t.Fatalf("the conversion does what the plan said it cannot: %v", errOfPlan)
	}
	converted := 0
	for i, row := range report {
		if row.Status != plan[i].Status || row.Reason != plan[i].Reason || row.After != plan[i].After {
			t.Errorf("the plan said %+v, the conversion %+v", plan[i], row)
		}
		if row.Status == transform.Converted {
			converted++
		}
	}
	mergeDamaged(t, m, converted)
}

// sizeOfBlocks returns how many bytes the numbers of all blocks take; ok is false if there is no plan, or if it is more than
// a fuzz test has time for.
func sizeOfBlocks(m *onnxgraph.Model, o transform.Options) (size int64, ok bool) {
	size, err := transform.Workspace(m, o)
	const most = 1 << 24
	return size, err == nil && size <= most
}

// mergeDamaged merges, folds and reads what parameters there are, in a model that has the given number of blocks or more.
func mergeDamaged(t *testing.T, m *onnxgraph.Model, converted int) {
	m, err := onnxgraph.Parse(saved(t, m), nowhere)
	if err != nil {
		t.Fatalf("the converted model is not valid: %v", err)
	}
	blocks, err := transform.Blocks(m)
	if err != nil {
		if converted > 0 {
			t.Fatalf("the blocks of %d convolutions are not found: %v", converted, err)
		}
		return // the records are damaged
	}
	finite := true // else the blocks' filters cannot be computed, and saving says so
	for _, b := range blocks {
		finite = finite && isFinite(b.Bank) && isFinite(b.Pointwise)
		for _, n := range b.Between {
			finite = finite && !slices.ContainsFunc(n.Inputs()[1:], func(v *onnxgraph.Value) bool { return !isFinite(v) })
		}
	}
	if len(blocks) < converted {
		t.Fatalf("%d blocks for %d convolutions", len(blocks), converted)
	}
	for _, pass := range []func() error{
		func() error { _, err := parameter.List(m); return err },
		func() error { _, err := transform.Merge(m); return err },
		func() error { _, err := normalization.Fold(m); return err },
		func() error { parameter.Separate(m); return nil },
		func() error { return redraw(t, m, blocks) },
	} {
		if err := pass(); err != nil {
			t.Fatal(err)
		}
		if err := m.Validate(); err != nil {
			t.Fatalf("the model is not valid afterwards: %v", err)
		}
		data, err := m.Bytes()
		if err != nil && !finite {
			return
		}
		if err != nil {
			t.Fatalf("saving: %v", err)
		}
		if _, err := onnxgraph.Parse(data, nowhere); err != nil {
			t.Fatalf("the saved model is not valid: %v", err)
		}
	}
}

// redraw draws everything anew. Where the record of a block names a bank that there is not, that fails, and the model stays.
func redraw(t *testing.T, m *onnxgraph.Model, blocks []transform.Block) error {
	unknown := slices.ContainsFunc(blocks, func(b transform.Block) bool {
		return b.Record.Bank != "source" && !slices.Contains(filterbank.Names(), b.Record.Bank)
	})
	before, unsaved := m.Bytes()
	_, err := parameter.Reinit(m, parameter.ReinitOptions{Banks: true})
	if err == nil || !unknown {
		return err
	}
	if after, err := m.Bytes(); (err == nil) != (unsaved == nil) || !bytes.Equal(before, after) {
		t.Errorf("drawing from a bank that there is not changed the model, or %v", err)
	}
	return nil
}

// isFinite reports whether v is a constant that holds finite numbers only.
func isFinite(v *onnxgraph.Value) bool {
	t := v.Constant()
	if t == nil {
		return false
	}
	data, err := t.Float64s()
	return err == nil && !slices.ContainsFunc(data, func(x float64) bool { return math.IsNaN(x) || math.IsInf(x, 0) })
}

func saved(t *testing.T, m *onnxgraph.Model) []byte {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatalf("saving: %v", err)
	}
	return data
}
