package onnxgraph

import (
	"fmt"
	"os"
)

// externalData says where in which file the elements of a tensor are.
type externalData struct {
	path   string // as opened, the model's folder included
	offset int64
	length int64
}

func (e *externalData) read() ([]byte, error) {
	f, err := os.Open(e.path)
	if err != nil {
		return nil, fmt.Errorf("reading external data: %w", err)
	}
	defer f.Close()
	data := make([]byte, e.length)
	if _, err := f.ReadAt(data, e.offset); err != nil {
		return nil, fmt.Errorf("reading %d bytes at %d of %s: %w", e.length, e.offset, e.path, err)
	}
	return data, nil
}
