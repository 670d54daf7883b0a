package onnxgraph

import "fmt"

// ExternalMode says which tensors a saved model keeps in a data file beside it.
type ExternalMode int

const (
	// ExternalAsRead keeps the tensors external that were read so, and all large ones if the model would
	// not fit the 2 GiB that a protobuf file can hold.
	ExternalAsRead ExternalMode = iota
	// ExternalAll makes every tensor of at least externalMinimum bytes external.
	ExternalAll
	// ExternalNone keeps everything in the model file.
	ExternalNone
)

const (
	externalMinimum   = 1024          // bytes; smaller tensors stay in the model file, as other tools keep them
	externalAlignment = 4096          // bytes; lets a runtime map the file into memory
	protobufLimit     = 1<<31 - 1<<20 // bytes, with room for what is not tensor data
)

// Save writes the model to path or, if that is a link, to the file that the link leads to, and external data beside it to a
// file whose name is by its content, such as model.onnx.0123456789ab.data. Model and data appear together, whole, or not at
// all; what is no file is not replaced. At the end, the data file of a model that was replaced is removed, unless another model
// in the folder needs it: load a model again if it was read from there. Tensors are computed and written a few at a time, so
// that they need not fit in memory.
func (m *Model) Save(path string, mode ExternalMode) error {
	s, err := m.Stage(path, mode)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Bytes returns the model as the bytes of an ONNX file, external data included, even if it is not valid.
func (m *Model) Bytes() ([]byte, error) {
	e, err := m.encode(ExternalNone, "")
	if err != nil {
		return nil, fmt.Errorf("encoding a model: %w", err)
	}
	out := make(memory, totalSize(e.model))
	if _, err := writeParts(out, e.model); err != nil {
		return nil, fmt.Errorf("encoding a model: %w", err)
	}
	return out, nil
}
