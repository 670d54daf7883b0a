package onnxgraph

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// small returns a model y = x + w, whose w has n elements.
func small(t *testing.T, n int64) *Model {
	t.Helper()
	m := New("small", 8, 18)
	x, err := m.Graph.AddInput("x", Float32, Static(n))
	if err != nil {
		t.Fatal(err)
	}
	data := make([]float32, n)
	for i := range data {
		data[i] = float32(i)
	}
	y := m.Graph.AddNode("Add", []*Value{x, m.Graph.AddConstant("w", NewTensor([]int64{n}, data))}).Output(0)
	m.Graph.AddOutput(y, Float32, Static(n))
	return m
}

func weights(t *testing.T, m *Model) []byte {
	t.Helper()
	raw, err := m.Graph.Value("w").Constant().Raw()
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// TestExternalData moves a model through every way of storing its tensors: the weights stay the same.
func TestExternalData(t *testing.T) {
	m := small(t, 5000)
	want := weights(t, m)
	folder := t.TempDir()
	for i, mode := range []ExternalMode{ExternalAll, ExternalAsRead, ExternalNone, ExternalAll} {
		path := filepath.Join(folder, "sub", string(rune('a'+i))+".onnx")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := m.Save(path, mode); err != nil {
			t.Fatal(err)
		}
		var err error
		if m, err = Load(path); err != nil {
			t.Fatal(err)
		}
		if external := m.Graph.Value("w").Constant().IsExternal(); external != (mode != ExternalNone) {
			t.Errorf("mode %d: external is %v", mode, external)
		}
		if !bytes.Equal(weights(t, m), want) || !bytes.Equal(weights(t, m.Clone()), want) {
			t.Errorf("mode %d: the weights changed", mode)
		}
	}
}

// TestSaveOverItsOwnData saves a model in place: its data file is read while it is replaced.
func TestSaveOverItsOwnData(t *testing.T) {
	path := filepath.Join(t.TempDir(), "model.onnx")
	m := small(t, 5000)
	want := weights(t, m)
	for range 3 {
		if err := m.Save(path, ExternalAll); err != nil {
			t.Fatal(err)
		}
		var err error
		if m, err = Load(path); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(weights(t, m), want) {
			t.Fatal("the weights changed")
		}
	}
}

// TestEmptyExternalData loads tensors that have no elements and claim to be in a data file, which may be missing: they are ordinary
// empty tensors, and stay so.
func TestEmptyExternalData(t *testing.T) {
	for _, c := range []struct {
		dims    []int64
		dtype   DType
		entries map[string]string
	}{
		{[]int64{0}, Float32, map[string]string{"location": "missing.data"}},
		{[]int64{3, 0, 5}, Int64, map[string]string{"location": "../outside", "offset": "7", "length": "0"}},
		{[]int64{0, 1 << 40}, Float16, nil},
	} {
		m := small(t, 0)
		v := m.Graph.Value("w")
		p := v.constant.proto
		p.Dims, p.DataType, p.RawData = c.dims, proto.Int32(int32(c.dtype)), nil
		p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
		for key, value := range c.entries {
			p.ExternalData = append(p.ExternalData, &onnxpb.StringStringEntryProto{Key: proto.String(key), Value: proto.String(value)})
		}
		message := m.assemble(func(t *Tensor, name *string) *onnxpb.TensorProto {
			p := proto.CloneOf(t.proto)
			p.Name = name
			return p
		})
		path := filepath.Join(t.TempDir(), "model.onnx")
		if err := os.WriteFile(path, marshal(t, message), 0o644); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			read, err := Load(path)
			if err != nil {
				t.Fatalf("%v: %v", c.dims, err)
			}
			if got := read.Graph.Value("w").Constant(); got.IsExternal() || !slices.Equal(got.Dims(), c.dims) || got.DType() != c.dtype || got.Len() != 0 {
				t.Errorf("%v: external is %v, %v of dims %v", c.dims, got.IsExternal(), got.DType(), got.Dims())
			}
			if p := read.Graph.Value("w").constant.proto; p.DataLocation != nil || p.ExternalData != nil {
				t.Errorf("%v: it still says that its data is in another file: %v", c.dims, p)
			}
			if err := read.Save(path, ExternalAll); err != nil {
				t.Fatal(err)
			}
			if _, err := os.Stat(path + ".data"); err == nil {
				t.Errorf("%v: a data file was written", c.dims)
			}
		}
	}
}

// TestHostileExternalData has models whose data is missing, short, or outside the model's folder.
func TestHostileExternalData(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "secret"), make([]byte, 20000), 0o600); err != nil {
		t.Fatal(err)
	}
	inside := filepath.Join(folder, "inside")
	if err := os.Mkdir(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(folder, "secret"), filepath.Join(inside, "link")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(inside, "short"), make([]byte, 100), 0o644); err != nil {
		t.Fatal(err)
	}
	for location, want := range map[string]string{
		"../secret":                     "leaves the model's folder",
		filepath.Join(folder, "secret"): "leaves the model's folder",
		"link":                          "leaves the model's folder",
		"missing":                       "no such file",
		"short":                         "needs 20000 bytes at 0 of",
		"":                              "without a location",
	} {
		for _, dtype := range []DType{Float32, String, 99} { // those whose elements are not looked at, too
			m := small(t, 5000)
			path := filepath.Join(inside, "model.onnx")
			if err := m.Save(path, ExternalAll); err != nil {
				t.Fatal(err)
			}
			rewriteLocation(t, path, location, dtype)
			_, err := Load(path)
			if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
				t.Errorf("location %q of %v: got error %v, want one with %q and the model's path", location, dtype, err, want)
			}
		}
	}
}

// TestMissingDataIsToldOnce loads a model of many tensors without their data file: the error names the file once, some of the
// tensors, and what to do. Faults that differ are all listed.
func TestMissingDataIsToldOnce(t *testing.T) {
	t.Parallel()
	m := New("many", 8, 18)
	for i := range 20 {
		m.Graph.AddOutput(m.Graph.AddConstant(fmt.Sprintf("w%d", i), NewTensor([]int64{1000}, make([]float32, 1000))), Float32, nil)
	}
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	data, err := filepath.Glob(path + ".*.data")
	if err != nil || len(data) != 1 {
		t.Fatalf("data files %q, error %v", data, err)
	}
	if err := os.Remove(data[0]); err != nil {
		t.Fatal(err)
	}
	_, err = Load(path)
	if err == nil || strings.Count(err.Error(), data[0]) != 1 || !strings.Contains(err.Error(), `"w0", "w1", "w2"`) ||
		!strings.Contains(err.Error(), "more: external data") || !strings.Contains(err.Error(), "beside it") {
		t.Errorf("without the data: %v", err)
	}
	if err := os.WriteFile(data[0], make([]byte, 20*4096), 0o644); err != nil {
		t.Fatal(err)
	}
	whole, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(data[0]); err != nil {
		t.Fatal(err)
	}
	if _, err := whole.Graph.Value("w3").Constant().Raw(); err == nil || !strings.Contains(err.Error(), data[0]) {
		t.Errorf("when the data goes after the model was loaded: %v", err)
	}
	if err := os.WriteFile(data[0], make([]byte, 5000), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(path); err == nil || strings.Count(err.Error(), "needs 4000 bytes") != 19 {
		t.Errorf("with too little data: %v", err)
	}
}

// TestLinksToModelsAndData loads a model "m" and its data "d" through links: "A -> B" makes A a link to B, and the model and
// its data are moved to where real and data say. ONNX Runtime loads and refuses the same, but for the case that is marked.
func TestLinksToModelsAndData(t *testing.T) {
	for _, c := range []struct {
		name       string
		real, data string   // where the files are
		links      []string // "path -> target"
		load       string
		refused    string // what the error says, "" for none
	}{
		{"no links", "a/m", "a/d", nil, "a/m", ""},
		{"Hugging Face cache", "blobs/aaaa", "blobs/bbbb", []string{"snapshots/abc/m -> ../../blobs/aaaa", "snapshots/abc/d -> ../../blobs/bbbb"},
			"snapshots/abc/m", ""},
		{"folder of a Hugging Face cache", "blobs/aaaa", "blobs/bbbb", []string{"snapshots/abc/onnx/m -> ../../../blobs/aaaa",
			"snapshots/abc/onnx/d -> ../../../blobs/bbbb"}, "snapshots/abc/onnx/m", ""},
		{"absolute links into one folder", "blobs/aaaa", "blobs/bbbb", []string{"a/m -> /blobs/aaaa", "a/d -> /blobs/bbbb"}, "a/m", ""},
		{"link to a link", "blobs/aaaa", "blobs/bbbb", []string{"b/x -> ../blobs/aaaa", "a/m -> ../b/x", "a/d -> ../blobs/bbbb"}, "a/m", ""},
		{"link to the model, data beside its target", "a/m", "a/d", []string{"b/m -> ../a/m"}, "b/m", ""}, // not in ONNX Runtime
		{"link of another name", "a/m", "a/d", []string{"b/other -> ../a/m", "b/d -> ../a/d"}, "b/other", ""},
		{"link to the model, data beside the link", "a/m", "b/d", []string{"b/m -> ../a/m"}, "b/m", ""},
		{"link to the folder", "a/m", "a/d", []string{"b -> a"}, "b/m", ""},
		{"link to the data within the folder", "a/m", "a/sub/x", []string{"a/d -> sub/x"}, "a/m", ""},
		{"link to data elsewhere", "a/m", "b/secret", []string{"a/d -> ../b/secret"}, "a/m", "a link that leaves the model's folder"},
		{"absolute link to data elsewhere", "a/m", "b/secret", []string{"a/d -> /b/secret"}, "a/m", "a link that leaves the model's folder"},
		{"links to two other folders", "a/x", "b/secret", []string{"c/m -> ../a/x", "c/d -> ../b/secret"}, "c/m", "a link that leaves the model's folder"},
		{"link to a folder elsewhere", "a/m", "b/d", []string{"a/sub -> ../b"}, "a/m", "no such file"},
		{"link to nothing", "a/m", "b/d", []string{"a/d -> gone"}, "a/m", "no such file"},
		{"link to itself", "a/m", "b/d", []string{"a/d -> d"}, "a/m", "too many links"},
		{"data beside neither", "a/m", "c/d", []string{"b/m -> ../a/m"}, "b/m", "no such file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			at := func(path string) string { return filepath.Join(root, path) }
			place := func(path string, put func(path string) error) {
				t.Helper()
				if err := errors.Join(os.MkdirAll(filepath.Dir(at(path)), 0o755), put(at(path))); err != nil {
					t.Fatal(err)
				}
			}
			m := small(t, 5000)
			want := weights(t, m)
			if err := m.Save(at("new"), ExternalAll); err != nil {
				t.Fatal(err)
			}
			data := dataFile(t, at("new"))
			rewriteLocation(t, at("new"), "d", Float32)
			place(c.real, func(path string) error { return os.Rename(at("new"), path) })
			place(c.data, func(path string) error { return os.Rename(data, path) })
			for _, link := range c.links {
				path, target, _ := strings.Cut(link, " -> ")
				if filepath.IsAbs(target) {
					target = at(target)
				}
				place(path, func(path string) error { return os.Symlink(target, path) })
			}
			m, err := Load(at(c.load))
			switch {
			case c.refused != "":
				if err == nil || !strings.Contains(err.Error(), c.refused) {
					t.Errorf("got error %v, want one with %q", err, c.refused)
				}
			case err != nil:
				t.Error(err)
			case !bytes.Equal(weights(t, m), want):
				t.Error("the weights changed")
			}
			relative, err := filepath.Rel(workingFolder(t), at(c.load))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Load(relative); (err != nil) != (c.refused != "") {
				t.Errorf("as a relative path: %v", err)
			}
		})
	}
}

func workingFolder(t *testing.T) string {
	t.Helper()
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// rewriteLocation changes where a saved model's first initializer says its data is, and of which type.
func rewriteLocation(t *testing.T, path, location string, dtype DType) {
	t.Helper()
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	p := m.Graph.Value("w").constant.proto
	p.ExternalData[0].Value, p.DataType = &location, proto.Int32(int32(dtype))
	data := marshal(t, m.assemble(asItIs))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestFailedSaveLeavesFiles saves to places that cannot be written: nothing is left, nothing is lost.
func TestFailedSaveLeavesFiles(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.onnx")
	m := small(t, 5000)
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(dataFile(t, path)); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{path, filepath.Join(folder, "missing", "model.onnx")} {
		if err := loaded.Save(target, ExternalAsRead); err == nil {
			t.Errorf("saving to %s without the data file: no error", target)
		}
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("a failed save changed the file: %v", err)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("a failed save left files: %v, %v", entries, err)
	}
}
