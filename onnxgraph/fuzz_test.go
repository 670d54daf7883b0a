package onnxgraph

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/damage"
	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// FuzzLoad loads, saves and loads models that are damaged byte by byte, by the engine, and part by part, by package damage.
// Nothing may panic, hang, or take memory out of proportion; what is loaded without an error must be saved without loss.
func FuzzLoad(f *testing.F) {
	for _, path := range modelFiles(f, os.Getenv("RCFREEZE_MODELS")) {
		const small = 1 << 17 // bytes
		if data, err := os.ReadFile(path); err == nil && len(data) <= small {
			f.Add(data, uint64(len(data)))
		}
	}
	folder := f.TempDir()
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) {
		loadAndSave(t, folder, damage.Model(data, seed))
	})
}

func loadAndSave(t *testing.T, folder string, data []byte) {
	defer damage.Watch(t, len(data))()
	m, err := Parse(data, folder)
	path := filepath.Join(folder, "model.onnx")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	other, errOfFile := Load(path)
	if (err == nil) != (errOfFile == nil) {
		t.Fatalf("parsing the bytes: %v; loading the file: %v", err, errOfFile)
	}
	if err != nil {
		return
	}
	first, err := m.Bytes()
	if err != nil {
		t.Fatalf("saving what was loaded: %v", err)
	}
	sameMessage(t, m, data, first)
	if second, err := other.Bytes(); err != nil || !bytes.Equal(first, second) {
		t.Errorf("the model in memory and that in a file differ once they are saved, or %v", err)
	}
	again, err := Parse(first, folder)
	if err != nil {
		t.Fatalf("loading what was saved: %v", err)
	}
	if second, err := again.Bytes(); err != nil || !bytes.Equal(first, second) {
		t.Errorf("saved a second time, the model differs, or %v", err)
	}
}

// sameMessage compares what was saved with what was loaded, unless saving has sorted nodes.
func sameMessage(t *testing.T, m *Model, loaded, saved []byte) {
	for _, g := range m.Graphs() {
		if !slices.Equal(g.Sorted(), g.nodes) {
			return
		}
	}
	var want, got onnxpb.ModelProto
	if err := proto.Unmarshal(loaded, &want); err != nil {
		t.Fatalf("loaded what is no message: %v", err)
	}
	if err := proto.Unmarshal(saved, &got); err != nil {
		t.Fatalf("saved what is no message: %v", err)
	}
	takeInside(&want)
	if !proto.Equal(&want, &got) {
		t.Error("the saved model differs from the one that was loaded")
	}
}

// takeInside makes tensors without elements that are in another file ordinary ones, as loading does.
func takeInside(m *onnxpb.ModelProto) {
	tensor := func(t *onnxpb.TensorProto) {
		if t.GetDataLocation() == onnxpb.TensorProto_EXTERNAL && ElementCount(t.Dims) == 0 {
			t.DataLocation, t.ExternalData = nil, nil
		}
	}
	var nodes func(list []*onnxpb.NodeProto)
	graph := func(g *onnxpb.GraphProto) {
		for _, t := range g.GetInitializer() {
			tensor(t)
		}
		nodes(g.GetNode())
	}
	nodes = func(list []*onnxpb.NodeProto) {
		for _, n := range list {
			for _, a := range n.Attribute {
				if a.T != nil {
					tensor(a.T)
				}
				for _, g := range append(a.Graphs, a.G) {
					graph(g)
				}
			}
		}
	}
	graph(m.Graph)
	for _, f := range m.Functions {
		nodes(f.Node)
	}
}

// TestDamagedModels does what FuzzLoad does, to each of its seeds in a number of ways.
func TestDamagedModels(t *testing.T) {
	folder := t.TempDir()
	damage.Seeds(t, "testdata/fuzz/FuzzLoad", func(t *testing.T, data []byte) { loadAndSave(t, folder, data) })
}
