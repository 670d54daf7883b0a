package onnxgraph

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// benchModel saves a model of 64 constants of 1 MiB with a node each, and returns its path.
func benchModel(b *testing.B) string {
	m := New("bench", 8, 18)
	for i := range 64 {
		v := m.Graph.AddConstant("w", NewRawTensor(Uint8, []int64{1 << 20}, pattern(1<<20, i)))
		m.Graph.AddOutput(m.Graph.AddNode("Relu", []*Value{v}).Output(0), Uint8, nil)
	}
	path := filepath.Join(b.TempDir(), "m.onnx")
	if err := m.Save(path, ExternalNone); err != nil {
		b.Fatal(err)
	}
	return path
}

// BenchmarkLoad reads a model without its weights.
func BenchmarkLoad(b *testing.B) {
	path := benchModel(b)
	for b.Loop() {
		if _, err := Load(path); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkSave writes a model that was loaded, inside and outside of the model file, and copies its file to compare with.
func BenchmarkSave(b *testing.B) {
	path := benchModel(b)
	m, err := Load(path)
	if err != nil {
		b.Fatal(err)
	}
	for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
		b.Run(fmt.Sprint("mode ", mode), func(b *testing.B) {
			b.SetBytes(64 << 20)
			for b.Loop() {
				if err := m.Save(path+".saved", mode); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("copy", func(b *testing.B) {
		b.SetBytes(64 << 20)
		for b.Loop() {
			if err := copyFile(path+".saved", path); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func copyFile(to, from string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	return atomicfile.Write(to, func(w io.Writer) error {
		_, err := io.Copy(w, source)
		return err
	})
}
