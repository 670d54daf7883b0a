package train

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func newCheckpoint() *checkpoint {
	return &checkpoint{
		Recipe: PaperRecipe(), Source: Source{Model: "12ab", Images: 70}, Position: position{Epoch: 2, Step: 3, LossSum: 1.0 / 3, Correct: 20, Samples: 48},
		Best: 0.1, History: []Row{{Epoch: 1, TrainLoss: 0.7}, {Epoch: 2, TrainLoss: 2e-300}},
		states: map[string]*onnxgraph.Tensor{
			"step.parameters": onnxgraph.NewTensor([]int64{3}, []float32{1, -2, 0.3}),
			"step.momentum":   onnxgraph.NewTensor([]int64{3}, []float32{4, 5, 6e-40}),
		},
	}
}

// equal compares checkpoints, state vectors byte by byte.
func equal(t *testing.T, a, b *checkpoint) bool {
	t.Helper()
	x, y := *a, *b
	x.states, y.states = nil, nil
	if len(a.states) != len(b.states) || !reflect.DeepEqual(x, y) {
		return false
	}
	for name, state := range a.states {
		if b.states[name] == nil {
			return false
		}
		was, err := state.Raw()
		if err != nil {
			t.Fatal(err)
		}
		is, err := b.states[name].Raw()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(was, is) {
			return false
		}
	}
	return true
}

func TestCheckpoint(t *testing.T) {
	want := newCheckpoint()
	path := filepath.Join(t.TempDir(), "last.ckpt")
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	if !equal(t, got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestDamagedCheckpoint changes every byte of a checkpoint, and cuts it short at every length: it is
// refused, or read as it was where the byte means nothing.
func TestDamagedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.ckpt")
	want := newCheckpoint()
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, data []byte) (refused bool) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := loadCheckpoint(path)
		if err != nil {
			if !strings.Contains(err.Error(), path) {
				t.Errorf("%s at %d: error %q does not name the file", what, at, err)
			}
			return true
		}
		if !equal(t, got, want) {
			t.Errorf("%s at %d: was read as something else, without an error", what, at)
		}
		return false
	}
	refused := 0
	for i := range whole {
		data := bytes.Clone(whole)
		data[i] ^= 0x10
		if try("a flipped bit", i, data) {
			refused++
		}
		if !try("the end", i, whole[:i]) {
			t.Errorf("cut short at %d: no error", i)
		}
	}
	if refused < len(whole)/2 {
		t.Errorf("%d of %d flipped bits were noticed", refused, len(whole))
	}
}
