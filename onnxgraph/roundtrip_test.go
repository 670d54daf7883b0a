package onnxgraph

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"google.golang.org/protobuf/proto"
)

// TestRoundTrip loads and saves every model at hand: the result must be the same message, and the same
// bytes where the source was written in canonical form.
func TestRoundTrip(t *testing.T) {
	for name, root := range map[string]func(testing.TB) string{
		"own":         func(testing.TB) string { return "../testdata" },
		"conformance": peer.ConformanceModels,
		"further":     peer.Models,
	} {
		t.Run(name, func(t *testing.T) {
			canonical, all := 0, 0
			for _, path := range modelFiles(t, root(t)) {
				all++
				if roundTrip(t, path, func(m *Model) *Model { return m }) {
					canonical++
				}
				roundTrip(t, path, (*Model).Clone)
			}
			if all == 0 {
				t.Error("no models there")
			}
			t.Logf("%d models, of which %d are canonical and were saved byte for byte", all, canonical)
		})
	}
}

// roundTrip reports whether the bytes of the file are canonical.
func roundTrip(t *testing.T, path string, through func(*Model) *Model) bool {
	source, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(path)
	if err != nil {
		t.Error(err)
		return false
	}
	want, got := &onnxpb.ModelProto{}, &onnxpb.ModelProto{}
	if err := proto.Unmarshal(source, want); err != nil {
		t.Fatal(err)
	}
	saved := marshal(t, through(m).assemble(asItIs))
	if err := proto.Unmarshal(saved, got); err != nil {
		t.Fatal(err)
	}
	if !proto.Equal(got, want) {
		t.Errorf("%s: the saved model differs from the source", path)
	}
	canonical := bytes.Equal(source, marshal(t, want))
	if canonical && !bytes.Equal(saved, source) {
		t.Errorf("%s: the saved bytes differ from the source's", path)
	}
	if written, err := m.Bytes(); err != nil || !isExternal(m) && !bytes.Equal(written, saved) {
		t.Errorf("%s: the bytes that are written differ from the message's, or %v", path, err)
	}
	return canonical
}

func isExternal(m *Model) bool {
	return slices.ContainsFunc(m.Graph.Initializers(), func(v *Value) bool { return v.constant != nil && v.constant.IsExternal() })
}

func marshal(t *testing.T, m proto.Message) []byte {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func modelFiles(t testing.TB, root string) []string {
	var paths []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if os.IsNotExist(err) {
			return nil
		}
		if err == nil && strings.HasSuffix(path, ".onnx") {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// asItIs stores a tensor in the form in which it was read.
func asItIs(t *Tensor, name *string) *onnxpb.TensorProto {
	p := t.named(name)
	if t.source != nil && !t.IsExternal() {
		p = t.copied()
		p.Name = name
		var err error
		if p.RawData, err = t.Raw(); err != nil {
			panic(err)
		}
	}
	return p
}
