package onnxgraph

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"google.golang.org/protobuf/encoding/protowire"
)

// Nearly all bytes of a model file are raw data of tensors. We replace them by placeholders before we decode the rest, and insert
// them again after we encode it. So a model's weights can stay in its file.

// rawData marks the raw data itself in holders.
const rawData = "raw data"

// holders lists the message fields that contain, or lead to, the raw data of tensors that link creates.
var holders = map[string]map[protowire.Number]string{
	"ModelProto":     {7: "GraphProto", 25: "FunctionProto"},
	"FunctionProto":  {7: "NodeProto"},
	"GraphProto":     {1: "NodeProto", 5: "TensorProto"},
	"NodeProto":      {5: "AttributeProto"},
	"AttributeProto": {5: "TensorProto", 6: "GraphProto", 11: "GraphProto"},
	"TensorProto":    {9: rawData},
}

// placeholder stands for raw data number i.
func placeholder(i int) []byte { return binary.LittleEndian.AppendUint64(nil, uint64(i)) }

// placeholderNumber returns the i of a placeholder.
func placeholderNumber(placeholder []byte) int { return int(binary.LittleEndian.Uint64(placeholder)) }

// field is one field of an encoded message.
type field struct {
	number      protowire.Number
	holds       string // its entry in holders
	header, end int64  // offsets of its start and end
	content     int64  // offset of its content, after tag and length
}

// deepest is how deep messages may nest. It is protobuf's own limit in C++, Java and Python, so other readers of ONNX files have
// it, too.
const deepest = 100

// taker removes the raw data from a model file.
type taker struct {
	window window
	taken  []taking
}

// taking is raw data that was removed: its bytes if they are in memory, otherwise its place in the file.
type taking struct {
	bytes  []byte
	source *section
}

// take returns the model without its tensors' raw data.
func (t *taker) take() ([]byte, error) {
	return t.message(nil, "ModelProto", 0, t.window.size, 0)
}

// message appends to out the message of the given kind between the offsets from and to.
func (t *taker) message(out []byte, kind string, from, to int64, depth int) ([]byte, error) {
	if depth > deepest {
		return nil, fmt.Errorf("messages are nested deeper than %d, more than any reader of ONNX files takes", deepest)
	}
	for from < to {
		f, err := t.window.field(kind, from, to)
		if err != nil {
			return nil, err
		}
		switch f.holds {
		case "":
			out, err = t.window.appendTo(out, f.header, f.end)
		case rawData:
			out = appendBytes(out, f.number, placeholder(len(t.taken)))
			err = t.keep(f.content, f.end)
		default:
			var inner []byte
			if inner, err = t.message(nil, f.holds, f.content, f.end, depth+1); err == nil {
				out = appendBytes(out, f.number, inner)
			}
		}
		if err != nil {
			return nil, err
		}
		from = f.end
	}
	return out, nil
}

func appendBytes(out []byte, n protowire.Number, content []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(out, n, protowire.BytesType), content)
}

// keep records raw data. It copies small data to memory, because reading it from the file each time would be slow.
func (t *taker) keep(from, to int64) error {
	const small = 4096 // bytes
	if t.window.file != nil && to-from > small {
		t.taken = append(t.taken, taking{source: &section{t.window.file, t.window.found, from, to - from}})
		return nil
	}
	data, err := t.window.bytes(from, to)
	t.taken = append(t.taken, taking{bytes: data})
	return err
}

// windowSize is how much of a file is in memory at a time, in bytes.
const windowSize = 1 << 16

// window is a view of an encoded message, in memory or in a file.
type window struct {
	size  int64
	file  *os.File    // nil if everything is in memory
	found os.FileInfo // the file when it was opened

	start  int64 // the offset where the bytes in memory begin
	seen   []byte
	buffer []byte // the memory for bytes of a file
}

func memoryWindow(data []byte) window { return window{size: int64(len(data)), seen: data} }

func fileWindow(f *os.File, info os.FileInfo) window {
	return window{size: info.Size(), file: f, found: info, buffer: make([]byte, windowSize)}
}

// appendTo appends to out the bytes between the offsets from and to.
func (w *window) appendTo(out []byte, from, to int64) ([]byte, error) {
	if from >= w.start && to <= w.start+int64(len(w.seen)) {
		return append(out, w.seen[from-w.start:to-w.start]...), nil
	}
	n := len(out)
	out = append(out, make([]byte, to-from)...)
	_, err := w.file.ReadAt(out[n:], from)
	return out, err
}

// bytes returns the bytes between the offsets from and to: a part of the memory itself, or a copy of bytes of a file.
func (w *window) bytes(from, to int64) ([]byte, error) {
	if w.file == nil {
		return w.seen[from:to:to], nil
	}
	return w.appendTo([]byte{}, from, to)
}

// peek returns up to ten bytes at offset, which is enough for any encoded number.
func (w *window) peek(offset, end int64) ([]byte, error) {
	to := min(offset+10, end)
	if offset < w.start || to > w.start+int64(len(w.seen)) {
		w.start, w.seen = offset, w.buffer[:min(int64(len(w.buffer)), w.size-offset)]
		if _, err := w.file.ReadAt(w.seen, offset); err != nil {
			return nil, err
		}
	}
	return w.seen[offset-w.start : to-w.start], nil
}

// field returns the field at offset from in a message of the given kind that ends at to.
func (w *window) field(kind string, from, to int64) (field, error) {
	f := field{header: from}
	head, err := w.peek(from, to)
	if err != nil {
		return f, err
	}
	number, wire, n := protowire.ConsumeTag(head)
	if n < 0 {
		return f, protowire.ParseError(n)
	}
	f.number, f.content = number, from+int64(n)
	head, err = w.peek(f.content, to)
	if err != nil {
		return f, err
	}
	var length uint64
	switch wire {
	case protowire.VarintType:
		_, n = protowire.ConsumeVarint(head)
		length = uint64(n)
	case protowire.Fixed32Type:
		length = 4
	case protowire.Fixed64Type:
		length = 8
	case protowire.BytesType:
		length, n = protowire.ConsumeVarint(head)
		f.content += int64(n)
		f.holds = holders[kind][number]
	default:
		return f, fmt.Errorf("field %d of a %s is of wire type %d, which ONNX does not use", number, kind, wire)
	}
	if n < 0 {
		return f, protowire.ParseError(n)
	}
	if length > uint64(to-f.content) {
		return f, errors.New("unexpected end")
	}
	f.end = f.content + int64(length)
	return f, nil
}
