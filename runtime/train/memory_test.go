package train

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestMemory adds up what a step needs, and says how many images would fit: so many need no more than four fifths of what is free,
// and one more would.
func TestMemory(t *testing.T) {
	if got := (Memory{Images: 1, Values: 1, Batches: 20, Parameters: 300, State: 4000, Free: 50000}).Needed(); got != 4321 {
		t.Errorf("needed are %d bytes, want 4321", got)
	}
	for _, c := range []struct {
		m    Memory
		want int
	}{
		{Memory{Images: 10, Values: 900, Batches: 100, Free: 1000}, 8},
		{Memory{Images: 10, Values: 900, Batches: 100, Parameters: 100, State: 200, Free: 1000}, 5},
		{Memory{Images: 10, Values: 900, Batches: 100, Parameters: 100, State: 200, Free: 400}, 0},
		{Memory{Images: 10, Values: 900, Batches: 100, Parameters: 400, State: 400, Free: 500}, 0},
		{Memory{Images: 10, Values: 5, Free: 100}, 80}, // less than a byte for each
	} {
		if got := c.m.Fitting(); got != c.want {
			t.Errorf("%+v: %d images fit, want %d", c.m, got, c.want)
		}
	}
}

// TestExplain adds to errors about memory alone what to do about them, with numbers as soon as they are known.
func TestExplain(t *testing.T) {
	other := errors.New("something else")
	full := fmt.Errorf("opening: %w", ort.ErrOutOfMemory)
	known := Outline{Memory: Memory{Images: 64, Values: 3e6, State: 4e6}}
	for _, c := range []struct {
		outline  Outline
		err      error
		has, not string
	}{
		{known, other, "something else", "--batch-size"},
		{Outline{}, full, "; use a smaller --batch-size", "need about"},
		{known, full, "; steps of 64 images need about 7 MB, 3 MB of them for activations and gradients: use a smaller --batch-size", "  "},
	} {
		err := (&trainer{outline: c.outline}).explain(c.err)
		if !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.has) || strings.Contains(err.Error(), c.not) {
			t.Errorf("got error %q, want one with %q", err, c.has)
		}
	}
	if err := (&trainer{}).explain(nil); err != nil {
		t.Errorf("no error becomes %v", err)
	}
}

// TestFreeMemoryOfProviders asks how much memory is free where a step is computed: of that of a graphics card, nothing is known.
func TestFreeMemoryOfProviders(t *testing.T) {
	orttest.Init(t)
	o := PaperRecipe().StepOptions()
	m := smallModel(t)
	var err error
	if o.Trained, err = parameter.Baseline.Trained(m); err != nil {
		t.Fatal(err)
	}
	step, err := Step(m, []int64{2, 1, datasettest.Side, datasettest.Side}, o)
	if err != nil {
		t.Fatal(err)
	}
	for provider, known := range map[ort.Provider]bool{ort.CPU: ort.FreeMemory() > 0, ort.CUDA: false} {
		if m, err := planMemory(step, 2, provider); err != nil || (m.Free > 0) != known {
			t.Errorf("%s: %d bytes are free, %v", provider, m.Free, err)
		}
	}
}
