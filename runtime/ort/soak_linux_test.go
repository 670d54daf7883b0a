package ort_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// residentBytes returns the memory that the process holds.
func residentBytes(t *testing.T) int64 {
	t.Helper()
	data, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total, resident int64
	if _, err := fmt.Sscan(string(data), &total, &resident); err != nil {
		t.Fatal(err)
	}
	return resident * int64(os.Getpagesize())
}

// TestMemoryStaysBounded opens, uses and closes sessions and steppers of a model with 2 MB of weights,
// on good paths and bad: leaking one of their copies each time would take more than the bound.
func TestMemoryStaysBounded(t *testing.T) {
	const n, rounds, bound = 1 << 19, 100, 100 << 20
	g := newGraph(t)
	w := g.input("w", onnxgraph.Float32, n)
	c := g.constant("c", onnxgraph.NewTensor([]int64{n}, make([]float32, n)))
	index := g.input("index", onnxgraph.Int64, 1)
	g.output("w_new", g.op("Add", w, c), onnxgraph.Float32, n)
	g.output("y", g.op("Gather", w, index), onnxgraph.Float32, 1)
	orttest.Init(t)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := g.model.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
	good := tensors{
		"w":     onnxgraph.NewTensor([]int64{n}, make([]float32, n)),
		"index": onnxgraph.NewTensor([]int64{1}, []int64{0}),
	}
	bad := tensors{"w": good["w"], "index": onnxgraph.NewTensor([]int64{1}, []int64{n})}

	round := func() {
		s, err := ort.Open(path, ort.Options{IntraOpThreads: 1})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Run(good); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Run(bad); err == nil {
			t.Fatal("an index out of range passed")
		}
		if _, err := ort.NewStepper(s, []ort.Pair{{Input: "w", Output: "y"}}, good); err == nil {
			t.Fatal("a state of two shapes passed")
		}
		stepper, err := ort.NewStepper(s, []ort.Pair{{Input: "w", Output: "w_new"}}, good)
		if err != nil {
			t.Fatal(err)
		}
		defer stepper.Close()
		if err := stepper.Step(); err != nil {
			t.Fatal(err)
		}
	}
	for range 20 { // allocators fill their pools
		round()
	}
	debug.FreeOSMemory()
	before := residentBytes(t)
	for range rounds {
		round()
	}
	debug.FreeOSMemory()
	if growth := residentBytes(t) - before; growth > bound {
		t.Errorf("%d rounds added %d MB, want at most %d", rounds, growth>>20, bound>>20)
	} else {
		t.Logf("%d rounds added %.1f MB", rounds, float64(growth)/(1<<20))
	}
}
