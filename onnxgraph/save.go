package onnxgraph

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph/internal/onnxpb"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

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

// Save writes the model to path, and external data to the same name with ".data" behind it. Both appear
// whole or not at all.
func (m *Model) Save(path string, mode ExternalMode) error {
	if err := m.save(path, mode); err != nil {
		return fmt.Errorf("saving %s: %w", path, err)
	}
	return nil
}

func (m *Model) save(path string, mode ExternalMode) error {
	if mode == ExternalAsRead && m.inlineSize() > protobufLimit {
		mode = ExternalAll
	}
	x := &externalWriter{mode: mode, path: m.freeDataPath(path)}
	defer x.abandon()
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.assemble(x.place))
	if err == nil {
		err = x.err
	}
	if err != nil {
		return err
	}
	if int64(len(data)) > protobufLimit {
		return fmt.Errorf("the model takes %d bytes, more than the 2 GiB of a protobuf file: keep its tensors external", len(data))
	}
	if err := x.commit(); err != nil {
		return err
	}
	return WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// Bytes returns the model as the bytes of an ONNX file, external data included.
func (m *Model) Bytes() ([]byte, error) {
	x := &externalWriter{mode: ExternalNone}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.assemble(x.place))
	if err == nil {
		err = x.err
	}
	if err != nil {
		return nil, fmt.Errorf("encoding a model: %w", err)
	}
	return data, nil
}

// WriteFile writes a file atomically: to a temporary file in the same folder, which takes the place of
// path once it is complete.
func WriteFile(path string, write func(io.Writer) error) error {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails once renamed
	if err := write(f); err != nil {
		f.Close()
		return err
	}
	if err := f.Chmod(0o644); err != nil {
		f.Close()
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

func (m *Model) inlineSize() int64 {
	total := int64(0)
	for _, g := range m.Graphs() {
		for _, v := range g.initializers {
			if v.constant != nil && !v.constant.IsExternal() {
				total += int64(proto.Size(v.constant.proto))
			}
		}
	}
	return total
}

// freeDataPath returns the data file for a model at path: not one that the model still reads from.
func (m *Model) freeDataPath(path string) string {
	candidate := path + ".data"
	for i := 1; m.readsFrom(candidate); i++ {
		candidate = fmt.Sprintf("%s.%d.data", path, i)
	}
	return candidate
}

func (m *Model) readsFrom(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	for _, g := range m.Graphs() {
		for _, v := range g.initializers {
			if v.constant == nil || v.constant.external == nil {
				continue
			}
			if x, err := v.constant.external.resolve(); err == nil {
				if other, err := os.Stat(x.path); err == nil && os.SameFile(info, other) {
					return true
				}
			}
		}
	}
	return false
}

// externalWriter puts tensors into the data file while a model is assembled.
type externalWriter struct {
	mode   ExternalMode
	path   string
	file   *os.File
	offset int64
	err    error // the first that occurred
}

// place returns the message to store for a tensor: as it is, with its data inside, or pointing to the
// data file.
func (x *externalWriter) place(t *Tensor, name *string) *onnxpb.TensorProto {
	size := t.DType().byteSize(t.Len())
	external := t.IsExternal() && x.mode == ExternalAsRead ||
		x.mode == ExternalAll && size >= externalMinimum && t.DType() != String
	if !external && !t.IsExternal() {
		return t.named(name)
	}
	raw, err := t.Raw()
	if err != nil {
		x.fail(fmt.Errorf("initializer %q: %w", deref(name), err))
		return t.proto
	}
	p := &onnxpb.TensorProto{Dims: t.proto.Dims, DataType: t.proto.DataType, Name: name,
		DocString: t.proto.DocString, MetadataProps: t.proto.MetadataProps}
	if !external {
		p.RawData = raw
		return p
	}
	offset := x.write(raw)
	p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	for _, e := range [][2]string{{"location", filepath.Base(x.path)},
		{"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.Itoa(len(raw))}} {
		p.ExternalData = append(p.ExternalData,
			&onnxpb.StringStringEntryProto{Key: proto.String(e[0]), Value: proto.String(e[1])})
	}
	return p
}

// write appends raw to the data file, aligned, and returns its offset.
func (x *externalWriter) write(raw []byte) int64 {
	if x.err != nil {
		return 0
	}
	if x.file == nil {
		f, err := os.CreateTemp(filepath.Dir(x.path), "."+filepath.Base(x.path)+".*")
		if err != nil {
			x.fail(err)
			return 0
		}
		x.file = f
	}
	offset := (x.offset + externalAlignment - 1) / externalAlignment * externalAlignment
	if _, err := x.file.WriteAt(raw, offset); err != nil {
		x.fail(err)
	}
	x.offset = offset + int64(len(raw))
	return offset
}

func (x *externalWriter) fail(err error) {
	if x.err == nil {
		x.err = err
	}
}

// commit gives the data file its name.
func (x *externalWriter) commit() error {
	if x.file == nil {
		return nil
	}
	f := x.file
	if err := f.Chmod(0o644); err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	return os.Rename(f.Name(), x.path)
}

// abandon removes what was written of the data file, unless it has been committed.
func (x *externalWriter) abandon() {
	if x.file != nil {
		x.file.Close()
		os.Remove(x.file.Name())
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// named returns the message of the tensor under the given name; it shares the data.
func (t *Tensor) named(name *string) *onnxpb.TensorProto {
	if t.proto.GetName() == deref(name) {
		return t.proto
	}
	p := &onnxpb.TensorProto{}
	src, dst := t.proto.ProtoReflect(), p.ProtoReflect()
	src.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		dst.Set(field, v)
		return true
	})
	dst.SetUnknown(src.GetUnknown())
	p.Name = name
	return p
}
