package train_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestOutOfMemory trains in a process that may take less memory than a step needs.
func TestOutOfMemory(t *testing.T) {
	if !isAlone(t) {
		return
	}
	r := newRun(t, newModel(t, "cifar-resnet", 8, 64), parameter.Baseline)
	r.Recipe.BatchSize = 1024
	r.Train, r.Test = datasettest.OpenCorners(t, 1024, 30)
	r.Workers = 1
	var planned train.Memory
	r.Outlined = func(o train.Outline) {
		planned = o.Memory
		limit(t, planned.Values/2)
	}
	_, err := r.Do(context.Background())
	if !errors.Is(err, ort.ErrOutOfMemory) {
		t.Fatalf("got error %v, want one about memory", err)
	}
	for _, want := range []string{
		"steps of 1024 images", fmt.Sprintf("about %d MB", planned.Needed()/1e6), "--batch-size", "--grad-accum-steps",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got error %q, want one with %q", err, want)
		}
	}
}

// limit lets the process take so many bytes more than it has.
func limit(t *testing.T, more int64) {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages int64
	if _, err := fmt.Sscan(string(text), &pages); err != nil {
		t.Fatal(err)
	}
	bytes := uint64(pages*int64(os.Getpagesize()) + more)
	if err := syscall.Setrlimit(syscall.RLIMIT_AS, &syscall.Rlimit{Cur: bytes, Max: bytes}); err != nil {
		t.Fatal(err)
	}
}
