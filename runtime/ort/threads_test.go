package ort_test

import (
	"runtime"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// TestThreads takes as many threads as the process may use cores, unless it is told how many.
func TestThreads(t *testing.T) {
	before := runtime.GOMAXPROCS(3) // as affinity or the quota of a container sets it
	defer runtime.GOMAXPROCS(before)
	for asked, want := range map[int]int{0: 3, 1: 1, 8: 8} {
		if got := (ort.Options{IntraOpThreads: asked}).Threads(); got != want {
			t.Errorf("asked for %d threads, got %d, want %d", asked, got, want)
		}
	}
}
