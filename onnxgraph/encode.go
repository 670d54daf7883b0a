package onnxgraph

import (
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// encoded is a model that is ready to be written: its file and its data file, each as a list of consecutive parts.
type encoded struct {
	model, data []part
	typed       []NotFinite // from tensors that are in no part
}

// part is bytes or, if there is one, the raw data of a tensor.
type part struct {
	bytes  []byte
	tensor *Tensor
	name   string // name of the tensor, for messages
	size   int64
}

func bytesPart(bytes []byte) part { return part{bytes: bytes, size: int64(len(bytes))} }

// totalSize returns the total number of bytes of parts.
func totalSize(parts []part) int64 {
	size := int64(0)
	for _, p := range parts {
		size += p.size
	}
	return size
}

// encode lays out the model, but does not yet read or compute elements.
func (m *Model) encode(mode ExternalMode, dataFile string) (*encoded, error) {
	e := &encoder{mode: mode, dataFile: dataFile}
	rest, err := proto.MarshalOptions{Deterministic: true}.Marshal(m.assemble(e.place))
	if err != nil {
		return nil, err
	}
	parts, err := e.insert("ModelProto", rest)
	switch size := totalSize(parts); {
	case err != nil:
		return nil, err
	case size <= protobufLimit:
		return &encoded{parts, e.data, e.typed}, nil
	case mode == ExternalAsRead:
		return m.encode(ExternalAll, dataFile)
	default:
		return nil, fmt.Errorf("the model file would take %d bytes, more than the 2 GiB of a protobuf file: keep its tensors external", size)
	}
}

// encoder lays out the tensors of a model.
type encoder struct {
	mode     ExternalMode
	dataFile string
	raw      []part // the data that placeholders stand for
	data     []part // the parts of the data file so far
	typed    []NotFinite
	end      int64 // of these
}

// place returns the message to store for a tensor: with a placeholder for its raw data, or pointing to the
// data file.
func (e *encoder) place(t *Tensor, name *string) *onnxpb.TensorProto {
	size, _ := t.rawSize() // if it is unknown, reading the elements will report why
	large := size >= externalMinimum && t.DType() != String
	switch {
	case t.IsExternal() && e.mode == ExternalAsRead || large && e.mode == ExternalAll:
		return e.placeOutside(t, name, size)
	case t.source == nil && t.proto.RawData == nil:
		c := finiteness{Writer: io.Discard, dtype: t.DType()}
		c.Write(rawFromTypedField(t.proto)) // io.Discard returns no error
		e.typed = c.appendTo(e.typed, deref(name))
		return t.named(name)
	}
	p := t.copied()
	p.Name, p.RawData = name, placeholder(len(e.raw))
	if t.IsExternal() {
		p.ExternalData, p.DataLocation = nil, nil
	}
	e.raw = append(e.raw, part{tensor: t, name: deref(name), size: size})
	return p
}

func (e *encoder) placeOutside(t *Tensor, name *string, size int64) *onnxpb.TensorProto {
	offset := (e.end + externalAlignment - 1) / externalAlignment * externalAlignment
	e.data = append(e.data, bytesPart(make([]byte, offset-e.end)), part{tensor: t, name: deref(name), size: size})
	e.end = offset + size
	p := t.copied()
	p.Name, p.RawData, p.ExternalData = name, nil, nil
	p.FloatData, p.DoubleData, p.Int32Data, p.Int64Data, p.Uint64Data = nil, nil, nil, nil, nil
	p.DataLocation = onnxpb.TensorProto_EXTERNAL.Enum()
	for _, entry := range [][2]string{{"location", e.dataFile},
		{"offset", strconv.FormatInt(offset, 10)}, {"length", strconv.FormatInt(size, 10)}} {
		p.ExternalData = append(p.ExternalData,
			&onnxpb.StringStringEntryProto{Key: proto.String(entry[0]), Value: proto.String(entry[1])})
	}
	return p
}

// insert returns a message of the given kind, with its placeholders replaced by the raw data.
func (e *encoder) insert(kind string, message []byte) (parts []part, err error) {
	w := memoryWindow(message)
	kept := int64(0) // the message is not yet in parts from here on
	for at := int64(0); at < w.size; {
		f, err := w.field(kind, at, w.size)
		if err != nil {
			return nil, err
		}
		at = f.end
		var inner []part
		switch content := message[f.content:f.end]; f.holds {
		case "":
			continue
		case rawData:
			inner = e.raw[placeholderNumber(content):][:1]
		default:
			if inner, err = e.insert(f.holds, content); err != nil {
				return nil, err
			}
		}
		if len(inner) == 1 && inner[0].tensor == nil {
			continue // it contains no raw data
		}
		header := protowire.AppendTag(slices.Clone(message[kept:f.header]), f.number, protowire.BytesType)
		header = protowire.AppendVarint(header, uint64(totalSize(inner)))
		parts = append(append(parts, bytesPart(header)), inner...)
		kept = f.end
	}
	return append(parts, bytesPart(message[kept:])), nil
}

// rawSize returns the number of bytes that writeRaw writes.
func (t *Tensor) rawSize() (int64, error) {
	if t.source != nil {
		return t.source.size()
	}
	return int64(len(t.held())), nil
}

// writeRaw writes the elements, which must be size bytes.
func (t *Tensor) writeRaw(w io.Writer, size int64) error {
	c := &counter{Writer: w}
	var err error
	if t.source != nil {
		err = t.source.writeTo(c)
	} else {
		_, err = c.Write(t.held())
	}
	if err == nil && c.written != size {
		err = fmt.Errorf("writing a %v tensor of dims %v: needs %d bytes, has %d", t.DType(), t.Dims(), size, c.written)
	}
	return err
}

// counter counts what is written.
type counter struct {
	io.Writer
	written int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.written += int64(n)
	return n, err
}

// named returns the message of the tensor under the given name; it shares the data.
func (t *Tensor) named(name *string) *onnxpb.TensorProto {
	if t.proto.GetName() == deref(name) {
		return t.proto
	}
	p := t.copied()
	p.Name = name
	return p
}

// copied returns a copy of the tensor's message that shares the data.
func (t *Tensor) copied() *onnxpb.TensorProto {
	p := &onnxpb.TensorProto{}
	src, dst := t.proto.ProtoReflect(), p.ProtoReflect()
	src.Range(func(field protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		dst.Set(field, v)
		return true
	})
	dst.SetUnknown(src.GetUnknown())
	return p
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
