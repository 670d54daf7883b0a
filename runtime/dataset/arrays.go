package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Arrays reads all arrays of a NumPy archive (.npz), by name, as float64. Integers beyond 2^53 are rounded.
func Arrays(path string) (map[string]*onnxgraph.Tensor, error) {
	archive, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s as a NumPy archive: %w", path, err)
	}
	defer archive.Close()
	tensors := map[string]*onnxgraph.Tensor{}
	var faults []error
	for _, f := range archive.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		a, err := readMember(f)
		if err != nil {
			faults = append(faults, fmt.Errorf("reading array %q of %s: %w", name, path, err))
			continue
		}
		data := make([]float64, len(a.data)/a.dtype.size)
		for i := range data {
			data[i] = a.at(i)
		}
		tensors[name] = onnxgraph.NewTensor(a.dims, data)
	}
	return tensors, errors.Join(faults...)
}
