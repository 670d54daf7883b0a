package dataset

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestLoaderErrors(t *testing.T) {
	d := numbered(5, Shape{3, 2, 2})
	for name, test := range map[string]struct {
		o    LoaderOptions
		want string
	}{
		"batch size":    {LoaderOptions{}, "batch size 0"},
		"no batch":      {LoaderOptions{BatchSize: 6, DropLast: true}, "5 samples do not fill a batch of 6"},
		"channels":      {LoaderOptions{BatchSize: 1, Normalize: Normalization{Mean: []float64{0, 0}, Std: []float64{1}}}, "2 means and 3 standard deviations, the images have 3 channels"},
		"zero std":      {LoaderOptions{BatchSize: 1, Normalize: Normalization{Mean: make([]float64, 3), Std: make([]float64, 3)}}, "above 0"},
		"missing means": {LoaderOptions{BatchSize: 1, Normalize: Normalization{Std: []float64{1, 1, 1}}}, "0 means"},
	} {
		if _, err := NewLoader(d, test.o); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v, want %q in it", name, err, test.want)
		}
	}
	for first, want := range map[int]string{-1: "no step -1 in an epoch of 3", 4: "no step 4 in an epoch of 3", 3: ""} {
		said := ""
		for batch, err := range mustLoad(t, d, LoaderOptions{BatchSize: 2}).Batches(t.Context(), 0, first) {
			if batch != nil || err == nil {
				t.Errorf("from step %d: a batch %+v, error %v", first, batch, err)
			} else {
				said = err.Error()
			}
		}
		if !strings.Contains(said, want) || (said == "") != (want == "") {
			t.Errorf("from step %d: %q, want %q", first, said, want)
		}
	}
	for text, want := range map[string]string{
		"pad-crop": "number of pixels", "pad-crop=0": "above 0", "pad-crop=-1": "pad-crop=4", "pad-crop=65537": "number of pixels",
		"flip=2": "probability", "flip=1.001": "probability", "flip=-0.001": "probability", "flip=NaN": "probability", "cutmix": "pad-crop=4",
	} {
		if _, err := ParseAugmentations(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("augmentation %q: error %v, want %q in it", text, err, want)
		}
	}
	for _, text := range []string{"pad-crop=1", "pad-crop=65536", "flip=0", "flip=1"} {
		mustAugment(t, text)
	}
	if got := fmt.Sprint(mustAugment(t, " pad-crop=4, flip=0.5,")); got != "[pad-crop=4 flip=0.5]" {
		t.Errorf("augmentations print as %s", got)
	}
}

// TestUnreadableSample checks that the batches before come whole, and that the error is the same for any
// number of workers.
func TestUnreadableSample(t *testing.T) {
	dir := t.TempDir()
	for i := range 12 {
		data := pngFile(t, plain(3, 3, red))
		if i == 7 || i == 9 {
			data = data[:40]
		}
		write(t, filepath.Join(dir, "cat", fmt.Sprintf("%02d.png", i)), data)
	}
	d := mustOpen(t, dir, Options{Shape: Shape{3, 3, 3}, AnyClasses: true})
	for _, workers := range []int{1, 3, 8} {
		steps, last := 0, error(nil)
		for b, err := range mustLoad(t, d, LoaderOptions{BatchSize: 3, Workers: workers}).Batches(t.Context(), 0, 0) {
			if last = err; err == nil {
				steps = b.Step + 1
			}
		}
		if steps != 2 || last == nil || !strings.Contains(last.Error(), filepath.Join("cat", "07.png")) {
			t.Errorf("%d workers: %d batches, then %v; want 2, then an error that names 07.png", workers, steps, last)
		}
	}
}

// TestStop leaves iterations early. A bubble of synctest fails if a goroutine is left.
func TestStop(t *testing.T) {
	l := mustLoad(t, numbered(100, Shape{1, 4, 4}), LoaderOptions{BatchSize: 2, Workers: 3})
	synctest.Test(t, func(t *testing.T) {
		for range l.Batches(t.Context(), 0, 0) {
			break
		}
	})
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		steps, last := 0, error(nil)
		for _, err := range l.Batches(ctx, 0, 0) {
			if last = err; err == nil {
				steps++
			}
			if steps == 3 {
				synctest.Wait() // batches are ready now
				cancel()
			}
		}
		if steps != 3 || !errors.Is(last, context.Canceled) {
			t.Errorf("%d batches, then %v; want 3, then the context's error", steps, last)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		defer func() { recover() }()
		for range l.Batches(t.Context(), 0, 0) {
			panic("in the caller's loop")
		}
	})
}

// TestStopInBatch checks that a large batch is not finished once the context is done.
func TestStopInBatch(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	d := numbered(1000, Shape{1, 1, 1})
	read := 0
	d.read = func(i int, dst []uint8) error {
		if read++; read == 10 {
			cancel()
		}
		return nil
	}
	for _, err := range mustLoad(t, d, LoaderOptions{BatchSize: 1000, Workers: 1}).Batches(ctx, 0, 0) {
		if !errors.Is(err, context.Canceled) || read != 10 {
			t.Errorf("%d samples read, error %v; want 10, then the context's error", read, err)
		}
	}
}
