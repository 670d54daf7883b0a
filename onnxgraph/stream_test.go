package onnxgraph

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/damage"
)

// pattern returns size bytes that differ from tensor to tensor.
func pattern(size, seed int) []byte {
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(i>>8 ^ i*seed)
	}
	return data
}

// lazyModel returns a model with lazy constants of size bytes each.
func lazyModel(t *testing.T, constants, size int) *Model {
	t.Helper()
	m := New("lazy", 8, 18)
	for i := range constants {
		v := m.Graph.AddConstant("w", NewLazyTensor(Float32, []int64{int64(size / 4)}, func() (*Tensor, error) {
			return NewRawTensor(Float32, []int64{int64(size / 4)}, pattern(size, i)), nil
		}))
		m.Graph.AddOutput(m.Graph.AddNode("Relu", []*Value{v}).Output(0), Float32, nil)
	}
	return m
}

// TestStreams computes, saves, loads and saves again a model of 64 MB, inside and outside the model file: at no time may
// more than a few of its tensors be in memory.
func TestStreams(t *testing.T) {
	const constants, size = 64, 1 << 20
	folder := t.TempDir()
	most := damage.HeapGrowth(func() {
		m := lazyModel(t, constants, size)
		for i, mode := range []ExternalMode{ExternalNone, ExternalAll, ExternalAsRead, ExternalNone} {
			path := filepath.Join(folder, string(rune('a'+i))+".onnx")
			if err := m.Save(path, mode); err != nil {
				t.Fatal(err)
			}
			var err error
			if m, err = Load(path); err != nil {
				t.Fatal(err)
			}
		}
		for i, v := range m.Graph.Initializers() {
			if raw, err := v.Constant().Raw(); err != nil || !bytes.Equal(raw, pattern(size, i)) {
				t.Fatalf("constant %d changed, or %v", i, err)
			}
		}
	})
	if limit := uint64(constants * size / 4); most > limit {
		t.Errorf("the heap held %d MiB more than before, a model of %d MiB is to need less than %d", most>>20, constants*size>>20, limit>>20)
	}
}

// pieces returns a lazy tensor of so many pieces of 1 MiB, and all of its elements. Each piece takes the memory of the one before.
func pieces(count int) (t *Tensor, whole func() []byte) {
	const size = 1 << 20
	elements := func(yield func(*Tensor, error) bool) {
		buffer := make([]byte, size)
		for i := range count {
			copy(buffer, pattern(size, i+1))
			if !yield(NewRawTensor(Uint8, []int64{size}, buffer), nil) {
				return
			}
		}
	}
	return NewPiecewiseTensor(Uint8, []int64{int64(count), size}, elements), func() (all []byte) {
		for i := range count {
			all = append(all, pattern(size, i+1)...)
		}
		return all
	}
}

// TestPieces reads and writes a tensor that is computed in pieces.
func TestPieces(t *testing.T) {
	for _, count := range []int{1, 3} {
		tensor, whole := pieces(count)
		var written bytes.Buffer
		if err := tensor.writeRaw(&written, int64(count)<<20); err != nil || !bytes.Equal(written.Bytes(), whole()) {
			t.Errorf("%d pieces are written as %d other bytes, %v", count, written.Len(), err)
		}
		raw, err := tensor.Raw()
		if err != nil || !bytes.Equal(raw, whole()) {
			t.Errorf("%d pieces are read as %d other bytes, %v", count, len(raw), err)
		}
		if hash, err := tensor.SHA256(); err != nil || hash != sha256.Sum256(whole()) {
			t.Errorf("%d pieces have another hash, or %v", count, err)
		}
	}
}

// TestLargeTensorStreams computes, saves, loads and saves again one tensor of 64 MiB: at no time may more than a part of it be in memory.
func TestLargeTensorStreams(t *testing.T) {
	const count = 64
	folder := t.TempDir()
	tensor, whole := pieces(count)
	most := damage.HeapGrowth(func() {
		m := New("g", 8, 18)
		m.Graph.AddConstant("w", tensor)
		for i, mode := range []ExternalMode{ExternalNone, ExternalAll, ExternalAsRead, ExternalNone} {
			path := filepath.Join(folder, string(rune('a'+i))+".onnx")
			if err := m.Save(path, mode); err != nil {
				t.Fatal(err)
			}
			var err error
			if m, err = Load(path); err != nil {
				t.Fatal(err)
			}
		}
		tensor = m.Graph.Value("w").Constant()
	})
	if limit := uint64(count << 20 / 4); most > limit {
		t.Errorf("the heap held %d MiB more than before, a tensor of %d MiB is to need less than %d", most>>20, count, limit>>20)
	}
	if hash, err := tensor.SHA256(); err != nil || hash != sha256.Sum256(whole()) {
		t.Errorf("the tensor changed, or %v", err)
	}
}

// TestWorkspace asks how much memory it takes to write tensors: those that are computed take some while that is done.
func TestWorkspace(t *testing.T) {
	computed, _ := pieces(3)
	held := NewRawTensor(Uint8, []int64{5000}, pattern(5000, 1))
	of := func(t *Tensor) part { return part{tensor: t, size: t.Len()} }
	if got := (run{parts: []part{bytesPart(make([]byte, 1000)), of(held)}}).workspace(); got != 0 {
		t.Errorf("what is there takes %d bytes", got)
	}
	one, two := (run{parts: []part{of(computed)}}).workspace(), (run{parts: []part{of(held), of(computed), of(computed)}}).workspace()
	if one < computed.Len() || two != 2*one {
		t.Errorf("what is computed takes %d bytes, and %d for two", one, two)
	}
}

// TestLazyTensorFails has recipes that fail, or give something else than they promised: nothing is written.
func TestLazyTensorFails(t *testing.T) {
	dims := []int64{1000}
	for name, c := range map[string]struct {
		remake func() (*Tensor, error)
		want   string
	}{
		"error":      {func() (*Tensor, error) { return nil, errors.New("no luck") }, "no luck"},
		"other type": {func() (*Tensor, error) { return NewTensor(dims, make([]float64, 1000)), nil }, "got float64"},
		"broken": {func() (*Tensor, error) {
			return NewLazyTensor(Float32, dims, func() (*Tensor, error) { return nil, errors.New("bad luck") }), nil
		}, "bad luck"},
		"too few":  {func() (*Tensor, error) { return NewTensor([]int64{999}, make([]float32, 999)), nil }, "needs 4000 bytes, got 3996"},
		"too many": {func() (*Tensor, error) { return NewTensor([]int64{1001}, make([]float32, 1001)), nil }, "got float32 of dims [1001]"},
	} {
		m := New("g", 8, 18)
		m.Graph.AddConstant("w", NewLazyTensor(Float32, dims, c.remake))
		folder := t.TempDir()
		for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
			err := m.Save(filepath.Join(folder, "m.onnx"), mode)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want one with %q", name, err, c.want)
			}
		}
		if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
			t.Errorf("%s: files are left: %v, %v", name, entries, err)
		}
	}
}

// TestFileChangesUnderModel changes, replaces and removes a model's files after it was loaded: what is read is what was
// loaded, or an error says what happened.
func TestFileChangesUnderModel(t *testing.T) {
	for name, c := range map[string]struct {
		mode   ExternalMode
		change func(path string) error
		want   string // "" if the model must still be whole
	}{
		"replaced":       {ExternalNone, func(path string) error { return atomicfile.Write(path, func(w io.Writer) error { return nil }) }, ""},
		"removed":        {ExternalNone, os.Remove, ""},
		"cut":            {ExternalNone, func(path string) error { return os.Truncate(path, 100) }, "has been changed since"},
		"overwritten":    {ExternalNone, func(path string) error { return os.WriteFile(path, make([]byte, 20100), 0o644) }, "has been changed since"},
		"data replaced":  {ExternalAll, func(path string) error { return os.WriteFile(dataFile(t, path), make([]byte, 20001), 0o644) }, "has been changed since"},
		"data removed":   {ExternalAll, func(path string) error { return os.Remove(dataFile(t, path)) }, "no such file"},
		"model replaced": {ExternalAll, func(path string) error { return os.WriteFile(path, nil, 0o644) }, ""},
	} {
		path := filepath.Join(t.TempDir(), "model.onnx")
		m := small(t, 5000)
		want := weights(t, m)
		if err := m.Save(path, c.mode); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.change(path); err != nil {
			t.Fatal(err)
		}
		raw, err := m.Graph.Value("w").Constant().Raw()
		saving := m.Save(path+".copy", ExternalNone)
		if c.want == "" {
			if err != nil || saving != nil || !bytes.Equal(raw, want) {
				t.Errorf("%s: the weights changed, or %v, %v", name, err, saving)
			}
			continue
		}
		for _, err := range []error{err, saving} {
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: got error %v, want one with %q", name, err, c.want)
			}
		}
	}
}

// TestSaveSparesOwnFiles saves a model whose data file would have the name of the file that the model is read from.
func TestSaveSparesOwnFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	m := small(t, 5000)
	want := weights(t, m)
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	taken := dataFile(t, path)
	if err := errors.Join(os.Remove(path), os.Remove(taken), m.Save(taken, ExternalNone)); err != nil {
		t.Fatal(err)
	}
	m, err := Load(taken)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{path, taken} {
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(weights(t, m), want) {
			t.Errorf("%s: the weights changed", path)
		}
	}
}

// TestStage saves a model over another one in two steps: before the second, the other one is there, and the new one can be
// loaded; without it, nothing is left.
func TestStage(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.onnx")
	if err := small(t, 10).Save(path, ExternalNone); err != nil {
		t.Fatal(err)
	}
	size := func(path string) int64 {
		m, err := Load(path)
		if err != nil {
			t.Fatal(err)
		}
		return m.Graph.Value("w").Constant().Len()
	}
	for _, commit := range []bool{false, true} {
		s, err := small(t, 5000).Stage(path, ExternalAll)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(filepath.Join(filepath.Dir(s.Path()), s.Data())); err != nil || s.Data() == "" {
			t.Errorf("the data is said to be in %q: %v", s.Data(), err)
		}
		if size(path) != 10 || size(s.Path()) != 5000 {
			t.Errorf("before it is committed, %d elements are in place and %d are staged", size(path), size(s.Path()))
		}
		if commit {
			err = s.Commit()
		}
		s.Abandon()
		if want := map[bool]int64{false: 10, true: 5000}[commit]; err != nil || size(path) != want {
			t.Errorf("commit %v: %d elements in place, %v", commit, size(path), err)
		}
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) != 2 {
		t.Errorf("files are left: %v, %v", entries, err)
	}
}

// TestSizesOfRawData saves tensors around the sizes at which they are stored in another way, and those of a placeholder.
func TestSizesOfRawData(t *testing.T) {
	folder := t.TempDir()
	for _, size := range []int{0, 1, 7, 8, 9, 119, 127, 128, 1023, 1024, 4096, 4097, 1 << 14, windowSize, windowSize + 1} {
		m := New("g", 8, 18)
		want := pattern(size, 3)
		v := m.Graph.AddConstant("w", NewRawTensor(Uint8, []int64{int64(size)}, want))
		m.Graph.AddNode("Relu", []*Value{v}, TensorAttr("t", NewRawTensor(Uint8, []int64{int64(size)}, want)))
		for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
			path := filepath.Join(folder, "m.onnx")
			if err := m.Save(path, mode); err != nil {
				t.Fatal(err)
			}
			saved, err := Load(path)
			if err != nil {
				t.Fatalf("%d bytes: %v", size, err)
			}
			n := saved.Graph.Nodes()[0]
			for _, tensor := range []*Tensor{saved.Graph.Value("w").Constant(), n.Tensor("t")} {
				if raw, err := tensor.Raw(); err != nil || !bytes.Equal(raw, want) {
					t.Errorf("%d bytes came back as %d, %v", size, len(raw), err)
				}
			}
		}
	}
}

// TestAboveLimit lays out a model that is larger than a protobuf file can be, without writing it: its tensors go outside by
// themselves, or an error says that they must.
func TestAboveLimit(t *testing.T) {
	m := lazyModel(t, 3, 1<<30)
	e, err := m.encode(ExternalAsRead, "data")
	if err != nil {
		t.Fatal(err)
	}
	if model, data := totalSize(e.model), totalSize(e.data); model > 1<<12 || data != 3<<30 {
		t.Errorf("the model file has %d bytes, the data file %d, want 3 GiB", model, data)
	}
	if err := m.Save(filepath.Join(t.TempDir(), "m.onnx"), ExternalNone); err == nil || !strings.Contains(err.Error(), "keep its tensors external") {
		t.Errorf("got error %v", err)
	}
	if _, err := m.Bytes(); err == nil || !strings.Contains(err.Error(), "more than the 2 GiB") {
		t.Errorf("got error %v", err)
	}
}

// TestAtLimit lays out models of as many bytes as a protobuf file may have here, and of one more.
func TestAtLimit(t *testing.T) {
	model := func(elements int64) *Model {
		m := New("g", 8, 18)
		m.Graph.AddConstant("w", NewLazyTensor(Uint8, []int64{elements}, nil))
		return m
	}
	const about = protobufLimit - 1000 // its length takes as many bytes as that of the limit
	e, err := model(about).encode(ExternalNone, "")
	if err != nil {
		t.Fatal(err)
	}
	most := about + protobufLimit - totalSize(e.model)
	if e, err := model(most).encode(ExternalNone, ""); err != nil || totalSize(e.model) != protobufLimit {
		t.Errorf("at the limit: %v", err)
	}
	if _, err := model(most+1).encode(ExternalNone, ""); err == nil || !strings.Contains(err.Error(), "more than the 2 GiB") {
		t.Errorf("beyond the limit: got error %v", err)
	}
}

// fullDisk is a file that has room for so many bytes.
type fullDisk int64

func (room fullDisk) WriteAt(p []byte, offset int64) (int, error) {
	if offset+int64(len(p)) > int64(room) {
		return 0, errors.New("no room")
	}
	return len(p), nil
}

// TestFullDisk writes a model where there is room for all of it, and for less: an error says so even if it is the last byte that
// does not fit.
func TestFullDisk(t *testing.T) {
	m := lazyModel(t, 3, 1<<19)
	m.Graph.AddConstant("w", NewRawTensor(Float32, []int64{1 << 17}, pattern(1<<19, 7)))
	e, err := m.encode(ExternalNone, "")
	if err != nil {
		t.Fatal(err)
	}
	size := totalSize(e.model)
	for _, room := range []int64{0, 1, 1 << 16, 1 << 19, 1 << 20, size - 1<<16, size - 1, size} {
		_, err := writeParts(fullDisk(room), e.model)
		_, _, summing := writeSummed(fullDisk(room), e.model)
		for _, err := range []error{err, summing} {
			if room < size && (err == nil || !strings.Contains(err.Error(), "no room")) || room == size && err != nil {
				t.Errorf("%d bytes where there is room for %d: got error %v", size, room, err)
			}
		}
	}
}
