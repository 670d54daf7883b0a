package onnxgraph

import (
	"fmt"
	"io"
	"iter"
	"os"
	"slices"
	"sync"
	"weak"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// source provides the elements of a tensor that are not in memory, as little-endian bytes.
type source interface {
	size() (int64, error)      // the number of bytes
	read() ([]byte, error)     // all bytes; the caller must not change them
	writeTo(w io.Writer) error // the same bytes, in small pieces if possible
}

// copySize is the size of the pieces in which data is copied between files, in bytes.
const copySize = 1 << 18

// section is the part of a model file with a tensor's elements. The file stays open, so that it can be read even after another
// file has replaced it.
type section struct {
	file           *os.File
	found          os.FileInfo // the file when the model was read
	offset, length int64
}

func (s *section) size() (int64, error) { return s.length, nil }

func (s *section) read() ([]byte, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	data := make([]byte, s.length)
	if _, err := s.file.ReadAt(data, s.offset); err != nil {
		return nil, fmt.Errorf("reading %d bytes at %d of %s: %w", s.length, s.offset, s.file.Name(), err)
	}
	return data, nil
}

func (s *section) writeTo(w io.Writer) error {
	if err := s.check(); err != nil {
		return err
	}
	return copySection(w, s.file, s.offset, s.length)
}

func (s *section) check() error {
	info, err := s.file.Stat()
	if err == nil && isChanged(info, s.found) {
		err = fmt.Errorf("%s has been changed since it was loaded: load it again", s.file.Name())
	}
	return err
}

// isChanged reports whether a file has been written since the moment of found.
func isChanged(info, found os.FileInfo) bool {
	return !os.SameFile(info, found) || info.Size() != found.Size() || !info.ModTime().Equal(found.ModTime())
}

// copyBuffers reuses buffers, to save one allocation per tensor.
var copyBuffers = sync.Pool{New: func() any { return new([copySize]byte) }}

func copySection(w io.Writer, f *os.File, offset, length int64) error {
	buffer := copyBuffers.Get().(*[copySize]byte)
	defer copyBuffers.Put(buffer)
	n, err := io.CopyBuffer(w, io.NewSectionReader(f, offset, length), buffer[:])
	if err == nil && n < length {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("copying %d bytes at %d of %s: %w", length, offset, f.Name(), err)
	}
	return nil
}

// NewLazyTensor returns a tensor of the given type and dims whose elements are computed by remake when they are needed. To save
// memory, elements can be dropped and computed again, so remake must return the same tensor every time. If remake fails, or
// returns a tensor of another type or size, reading the elements or saving the model fails.
func NewLazyTensor(dtype DType, dims []int64, remake func() (*Tensor, error)) *Tensor {
	return NewPiecewiseTensor(dtype, dims, func(yield func(*Tensor, error) bool) { yield(remake()) })
}

// NewPiecewiseTensor is like NewLazyTensor, for elements that do not fit into memory at once: pieces yields them in row-major
// order. It may reuse the memory of a piece for the next one.
func NewPiecewiseTensor(dtype DType, dims []int64, pieces iter.Seq2[*Tensor, error]) *Tensor {
	p := &onnxpb.TensorProto{Dims: slices.Clone(dims), DataType: proto.Int32(int32(dtype))}
	return &Tensor{proto: p, source: &recipe{dtype: dtype, dims: p.Dims, pieces: pieces}}
}

// recipe is the source of a lazy tensor.
type recipe struct {
	dtype  DType
	dims   []int64
	pieces iter.Seq2[*Tensor, error]

	lock sync.Mutex
	made weak.Pointer[Tensor] // until the garbage collector frees it
}

func (r *recipe) size() (int64, error) { return r.bytes(), nil }

func (r *recipe) bytes() int64 { return r.dtype.byteSize(ElementCount(r.dims)) }

func (r *recipe) read() ([]byte, error) {
	r.lock.Lock()
	defer r.lock.Unlock()
	if t := r.made.Value(); t != nil {
		return t.Raw()
	}
	var raw []byte
	err := r.each(func(piece []byte) error {
		if int64(len(piece)) == r.bytes() {
			raw = piece
		} else {
			raw = append(slices.Grow(raw, int(r.bytes())-len(raw)), piece...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	t := NewRawTensor(r.dtype, r.dims, raw)
	r.made = weak.Make(t)
	return t.Raw()
}

func (r *recipe) writeTo(w io.Writer) error {
	r.lock.Lock()
	made := r.made.Value()
	r.lock.Unlock()
	if made != nil {
		return made.writeRaw(w, r.bytes())
	}
	return r.each(func(piece []byte) error {
		_, err := w.Write(piece)
		return err
	})
}

// each calls f with the bytes of every piece, and checks that type and number of elements are as declared.
func (r *recipe) each(f func(piece []byte) error) error {
	count := int64(0)
	for t, err := range r.pieces {
		if err != nil {
			return err
		}
		raw, err := t.Raw()
		if err != nil {
			return err
		}
		if count += int64(len(raw)); t.DType() != r.dtype || count > r.bytes() {
			return fmt.Errorf("computing a %v tensor of dims %v: got %v of dims %v", r.dtype, r.dims, t.DType(), t.Dims())
		}
		if err := f(raw); err != nil {
			return err
		}
	}
	if count < r.bytes() {
		return fmt.Errorf("computing a %v tensor of dims %v: needs %d bytes, got %d", r.dtype, r.dims, r.bytes(), count)
	}
	return nil
}
