package onnxgraph

import "fmt"

// ExternalMode says which tensors a saved model keeps in a data file beside it.
type ExternalMode int

const (
	// ExternalAsRead keeps tensors external that were external when they were read. If the model is too large for a protobuf
	// file, which can have 2 GiB, it does as ExternalAll.
	ExternalAsRead ExternalMode = iota
	// ExternalAll makes every tensor of 1024 bytes or more external. Smaller ones stay in the model file.
	ExternalAll
	// ExternalNone keeps everything in the model file. Saving fails if that would have more than 2 GiB.
	ExternalNone
)

const (
	externalMinimum   = 1024          // bytes; smaller tensors stay in the model file, as other tools keep them
	externalAlignment = 4096          // bytes; so a runtime can map the file into memory
	protobufLimit     = 1<<31 - 1<<20 // bytes; leaves room for data other than tensors
)

// Save writes the model to path or, if path is a link, to the file that the link points to. It writes external data beside it to
// a file whose name depends on its content, such as model.onnx.0123456789ab.data. Model and data appear together and complete, or
// not at all. Only regular files are replaced. At the end, Save removes the data file of a model that it replaced, unless another
// model in the folder needs it; so if a model in memory was loaded from there, load it again. Save computes and writes a few
// tensors at a time, so that they need not fit into memory.
func (m *Model) Save(path string, mode ExternalMode) error {
	s, err := m.Stage(path, mode)
	if err != nil {
		return err
	}
	return s.Commit()
}

// Bytes returns the model as the bytes of an ONNX file, including external data. It also works if the model is not valid.
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
