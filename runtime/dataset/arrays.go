package dataset

import (
	"archive/zip"
	"errors"
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Arrays reads all arrays of a NumPy archive (.npz), by name, as float64. Integers beyond 2^53 are rounded. Of the limits, it
// only uses Bytes, for all arrays together.
func Arrays(path string, limits Limits) (map[string]*onnxgraph.Tensor, error) {
	a, err := archive.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading %s as a NumPy archive: %w", path, err)
	}
	defer a.Close()
	tensors, err := arraysOf(a.Reader, limits)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return tensors, nil
}

func arraysOf(z *zip.Reader, limits Limits) (map[string]*onnxgraph.Tensor, error) {
	tensors := map[string]*onnxgraph.Tensor{}
	var faults []error
	need := int64(0)
	for _, f := range z.File {
		name := strings.TrimSuffix(f.Name, ".npy")
		t, err := tensorOf(f, &need, limits)
		if err != nil {
			faults = append(faults, fmt.Errorf("array %q: %w", name, err))
			continue
		}
		tensors[name] = t
	}
	return tensors, errors.Join(faults...)
}

// tensorOf reads an array, if it still fits within the limit after the memory already needed.
func tensorOf(f *zip.File, needed *int64, limits Limits) (*onnxgraph.Tensor, error) {
	m, err := openMember(f)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	const perElement = 8 + 8 // as read, and as float64
	*needed += perElement * m.count
	if err := limits.checkArrays(*needed); err != nil {
		return nil, fmt.Errorf("with shape %v, and with the arrays before it: %w", m.dims, err)
	}
	if err := m.read(); err != nil {
		return nil, err
	}
	data := make([]float64, m.count)
	for i := range data {
		data[i] = m.at(i)
	}
	return onnxgraph.NewTensor(m.dims, data), nil
}
