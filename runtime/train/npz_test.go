package train_test

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// numpyTypes has NumPy's names of element types.
var numpyTypes = map[onnxgraph.DType]string{onnxgraph.Float32: "<f4", onnxgraph.Float64: "<f8", onnxgraph.Int64: "<i8"}

// writeNPZ writes tensors as NumPy arrays by name.
func writeNPZ(t *testing.T, path string, arrays map[string]*onnxgraph.Tensor) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(f)
	for name, a := range arrays {
		w, err := z.Create(name + ".npy")
		if err != nil {
			t.Fatal(err)
		}
		raw, err := a.Raw()
		if err != nil {
			t.Fatal(err)
		}
		shape := strings.Trim(strings.ReplaceAll(fmt.Sprint(a.Dims()), " ", ", "), "[]")
		header := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%s,), }", numpyTypes[a.DType()], shape)
		header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
		if _, err := w.Write(append([]byte("\x93NUMPY\x01\x00"+string([]byte{byte(len(header)), byte(len(header) >> 8)})+header), raw...)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(z.Close(), f.Close()); err != nil {
		t.Fatal(err)
	}
}

// readNPZ reads arrays of the element type, each as a flat slice.
func readNPZ[T float32 | float64](t *testing.T, path string) map[string][]T {
	t.Helper()
	z, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	size := binary.Size(T(0))
	arrays := map[string][]T{}
	for _, f := range z.File {
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		raw, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		start := 10 + int(binary.LittleEndian.Uint16(raw[8:])) // behind the header
		if !strings.Contains(string(raw[:start]), fmt.Sprintf("'descr': '<f%d', 'fortran_order': False", size)) {
			t.Fatalf("%s of %s has another element type than float%d: %q", f.Name, path, 8*size, raw[:start])
		}
		data := make([]T, (len(raw)-start)/size)
		if _, err := binary.Decode(raw[start:], binary.LittleEndian, data); err != nil {
			t.Fatal(err)
		}
		arrays[strings.TrimSuffix(f.Name, ".npy")] = data
	}
	return arrays
}
