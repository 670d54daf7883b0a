package train

import (
	"archive/zip"
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/damage"
)

// mostFuzzed bounds the inputs of fuzz tests, in bytes.
const mostFuzzed = 1 << 16

// sealed returns a checkpoint's bytes behind which their seal is.
func sealed(t testing.TB, content []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	s := newSealer(&out)
	s.Write(content)
	s.Write(make([]byte, sealSize))
	if err := s.seal(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// parseFuzzed reads a checkpoint: what is read without an error must be sound.
func parseFuzzed(t *testing.T, data []byte) {
	defer damage.Watch(t, len(data))()
	c, err := parse(bytes.NewReader(data), int64(len(data)), (*checkpoint).readStates)
	if err != nil {
		return
	}
	for name, length := range c.Lengths {
		if state := c.states[name]; state == nil || state.Len() != int64(length) {
			t.Fatalf("state %q has not the %d elements that it should have", name, length)
		}
	}
	if _, epoch := c.best(); epoch < 0 && len(c.History) == 0 {
		t.Fatalf("the best of no epochs is that after epoch %d", epoch)
	}
}

// FuzzCheckpoint damages checkpoints, and makes their seals right again.
func FuzzCheckpoint(f *testing.F) {
	var out bytes.Buffer
	if err := newCheckpoint().write(&out); err != nil {
		f.Fatal(err)
	}
	f.Add(out.Bytes()[:out.Len()-sealSize])
	f.Fuzz(func(t *testing.T, content []byte) {
		if len(content) <= mostFuzzed {
			parseFuzzed(t, sealed(t, content))
		}
	})
}

// FuzzDescription damages what is in checkpoints that are sound as files.
func FuzzDescription(f *testing.F) {
	f.Add([]byte(`{"position": {"epoch": 1}, "history": [{"epoch": 1, "test_top1": 0.5}], "lengths": {"a": 3, "b": 1}}`), make([]byte, 12), make([]byte, 4))
	f.Add([]byte(`{"position": {"epoch": -1, "step": 1e30}, "lengths": {"a": 4611686018427387904, "b": -1}}`), []byte{}, []byte{})
	f.Fuzz(func(t *testing.T, description, a, b []byte) {
		if len(description)+len(a)+len(b) > mostFuzzed {
			return
		}
		parseFuzzed(t, packed(t, description, a, b))
	})
}

// packed returns a sound file, with a seal, of a description and the bytes of two states.
func packed(t testing.TB, description, a, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	z.SetComment(string(make([]byte, sealSize)))
	for _, member := range []struct {
		name string
		data []byte
	}{{descriptionFile, description}, {"a.f32", a}, {"b.f32", b}} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: member.name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		w.Write(member.data)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return sealed(t, out.Bytes()[:out.Len()-sealSize])
}

// TestClaims checks descriptions against the size of their file, in bytes: of 4 for each element, no more than all can be there.
func TestClaims(t *testing.T) {
	for _, c := range []struct {
		at      position
		lengths map[string]int
		size    int64
		good    bool
	}{
		{position{}, nil, 0, true},
		{position{Epoch: 5, Step: 4, Samples: 3}, nil, 0, true},
		{position{Epoch: -1}, nil, 0, false},
		{position{Step: -1}, nil, 0, false},
		{position{Samples: -1}, nil, 0, false},
		{position{}, map[string]int{"a": 0}, 0, true},
		{position{}, map[string]int{"a": -1}, 100, false},
		{position{}, map[string]int{"a": 3}, 12, true},
		{position{}, map[string]int{"a": 3}, 11, false},
		{position{}, map[string]int{"a": 2, "b": 1}, 12, true},
		{position{}, map[string]int{"a": 2, "b": 2}, 12, false},
	} {
		if err := (&checkpoint{Position: c.at, Lengths: c.lengths}).checkClaims(c.size); (err == nil) != c.good {
			t.Errorf("%v, %v in %d bytes: got error %v", c.at, c.lengths, c.size, err)
		}
	}
}

// TestCheckpointClaims reads small checkpoints, with right seals, that claim to hold much.
func TestCheckpointClaims(t *testing.T) {
	for _, c := range []struct{ description, want string }{
		{`{"lengths": {"a": 1000000000000}}`, "state a with 1000000000000 elements"},
		{`{"lengths": {"a": 4611686018427387904}}`, "state a with 4611686018427387904 elements"}, // times 4 is 0
		{`{"lengths": {"a": -1}}`, "state a with -1 elements"},
		{`{"lengths": {"a": 4}}`, "state a has 12 bytes, needs 16"},
		{`{"lengths": {"c": 4}}`, "state c: it has no file c.f32"},
		{`{"position": `, descriptionFile + ": unexpected end"},
		{`{"position": {"epoch": -1}}`, "epoch -1"},
		{`{"position": {"step": -2}}`, "step -2"},
	} {
		data := packed(t, []byte(c.description), make([]byte, 12), nil)
		_, err := parse(bytes.NewReader(data), int64(len(data)), (*checkpoint).readStates)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.description, err, c.want)
		}
	}
}
