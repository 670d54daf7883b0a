package dataset

import (
	"bytes"
	"compress/zlib"
	"errors"
	"fmt"
	"io"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// This file reads arrays of numbers from MATLAB's files of version 5, as save -v6 and -v7 write them ("MAT-File Format", The
// MathWorks). It knows nothing of what else they can have: cells, structs, text, sparse or complex arrays.

// Types of elements in such a file.
const (
	matInt8       = 1
	matInt32      = 5
	matUint32     = 6
	matMatrix     = 14
	matCompressed = 15
)

// matNumbers has the types of numbers.
var matNumbers = map[uint32]element{
	1: elements["|i1"], 2: elements["|u1"], 3: elements["<i2"], 4: elements["<u2"], 5: elements["<i4"], 6: elements["<u4"],
	7: elements["<f4"], 9: elements["<f8"], 12: elements["<i8"], 13: elements["<u8"],
}

// Bounds for a file of arrays. Real files have far less, and what is read to find the arrays stays small.
const (
	mostVariables = 16
	mostDims      = 32
	mostMatName   = 1 << 10 // bytes
)

// matVariable is a variable whose description was read. Its array is nil if it is no array of real numbers.
type matVariable struct {
	name string
	*array
	rest    io.Reader // of the variable, from the numbers on
	padding int64     // bytes after the numbers
}

// readMAT reads the descriptions of the variables of a file of so many bytes. Their numbers are not read yet.
func readMAT(f io.ReaderAt, size int64) ([]*matVariable, error) {
	if err := checkMATHeader(f); err != nil {
		return nil, err
	}
	const start = 128 // bytes of the header
	var variables []*matVariable
	for at := int64(start); at < size; {
		tag, err := readMATTag(io.NewSectionReader(f, at, size-at))
		if err != nil {
			return nil, err
		}
		at += matTagSize
		if tag.data == nil && tag.size > size-at {
			return nil, archive.CutShort(tag.size, size-at)
		}
		if len(variables) == mostVariables {
			return nil, fmt.Errorf("it has more than %d variables", mostVariables)
		}
		v, err := readMATVariable(tag, io.NewSectionReader(f, at, tag.size))
		if err != nil {
			return nil, fmt.Errorf("variable %d: %w", len(variables)+1, err)
		}
		variables = append(variables, v)
		at += tag.size
	}
	return variables, nil
}

// checkMATHeader looks at the version, and at the order of bytes.
func checkMATHeader(f io.ReaderAt) error {
	header := make([]byte, 128)
	if _, err := f.ReadAt(header, 0); err != nil {
		return fmt.Errorf("the header is cut short: %w", err)
	}
	switch version, order := header[124:126], string(header[126:]); {
	case order == "MI":
		return errors.New("its numbers have their highest byte first: save it again by MATLAB (save -v7) or by SciPy (scipy.io.savemat)")
	case order != "IM":
		return errors.New("it is no MAT file of version 5: the mark IM is missing in its header")
	case little.Uint16(version) == 0x200:
		return errors.New("it is a MAT file of version 7.3: save it again by MATLAB (save -v7)")
	case little.Uint16(version) != 0x100:
		return fmt.Errorf("it is a MAT file of version 0x%04x, needs 0x0100", little.Uint16(version))
	}
	return nil
}

const matTagSize = 8 // bytes

// matTag begins an element: its type, and the bytes of its data, which are in the tag itself if they are at most four.
type matTag struct {
	kind uint32
	size int64
	data []byte // nil if the data follow
}

func readMATTag(r io.Reader) (matTag, error) {
	b := make([]byte, matTagSize)
	if _, err := io.ReadFull(r, b); err != nil {
		return matTag{}, fmt.Errorf("the tag of an element is cut short: %w", err)
	}
	kind, size := little.Uint32(b), little.Uint32(b[4:])
	if small := kind >> 16; small > 0 {
		if small > 4 {
			return matTag{}, fmt.Errorf("a tag claims %d bytes of data in itself, which has room for 4", small)
		}
		return matTag{kind & 0xffff, int64(small), b[4:][:small]}, nil
	}
	return matTag{kind, int64(size), nil}, nil
}

// readMATVariable reads the description of a variable from its data, compressed or not.
func readMATVariable(tag matTag, data io.Reader) (*matVariable, error) {
	if tag.kind == matCompressed {
		compressed := tag.size
		var err error
		if data, err = zlib.NewReader(data); err != nil {
			return nil, err
		}
		if tag, err = readMATTag(data); err != nil {
			return nil, err
		}
		if err := archive.CheckDeflated(uint64(matTagSize+tag.size), uint64(compressed)); err != nil {
			return nil, err
		}
	}
	if tag.kind != matMatrix || tag.data != nil {
		return nil, fmt.Errorf("an element of type %d, needs an array (%d)", tag.kind, matMatrix)
	}
	r := &counted{data, 0}
	flags, err := readMATElement(r, "flags", matUint32, 8)
	if err != nil {
		return nil, err
	}
	if len(flags) != 8 {
		return nil, fmt.Errorf("flags of %d bytes, needs 8", len(flags))
	}
	dims, err := readMATElement(r, "dims", matInt32, 4*mostDims)
	if err != nil {
		return nil, err
	}
	name, err := readMATElement(r, "name", matInt8, mostMatName)
	if err != nil {
		return nil, err
	}
	v := &matVariable{name: string(name), rest: r}
	const real, complex = 6, 1 << 3 // the first class of numbers; a bit of the flags
	if class := flags[0]; class < real || class > real+9 || flags[1]&complex != 0 {
		return v, nil
	}
	if err := v.readNumbers(dims, tag.size, r); err != nil {
		return nil, fmt.Errorf("%q: %w", v.name, err)
	}
	return v, nil
}

// readNumbers reads the tag of the numbers. size is that of the variable.
func (v *matVariable) readNumbers(dims []byte, size int64, r *counted) error {
	v.array = &array{}
	for ; len(dims) >= 4; dims = dims[4:] {
		v.dims = append(v.dims, int64(int32(little.Uint32(dims))))
	}
	var err error
	if v.count, err = product(v.dims...); err != nil {
		return err
	}
	tag, err := readMATTag(r)
	if err != nil {
		return err
	}
	var ok bool
	if v.dtype, ok = matNumbers[tag.kind]; !ok {
		return fmt.Errorf("numbers of the unknown type %d", tag.kind)
	}
	if v.array.size() != tag.size {
		return fmt.Errorf("an array of shape %v with elements of %d bytes has %d bytes, not %d", v.dims, v.dtype.size, v.array.size(), tag.size)
	}
	if tag.data != nil {
		v.rest = io.MultiReader(bytes.NewReader(tag.data), r)
		size += tag.size
	}
	v.padding = size - r.count - tag.size
	switch {
	case v.padding < 0:
		return archive.CutShort(tag.size, tag.size+v.padding)
	case v.padding >= matTagSize:
		return archive.TooLong(tag.size)
	}
	return nil
}

// read reads the numbers. The caller has checked that there is memory for them.
func (v *matVariable) read() error {
	var err error
	if v.data, err = archive.ReadExactly(io.LimitReader(v.rest, v.array.size()), v.array.size()); err != nil {
		return fmt.Errorf("%q: %w", v.name, err)
	}
	// To the end, where the checksum of compressed data is.
	n, err := io.Copy(io.Discard, io.LimitReader(v.rest, v.padding+1))
	if err == nil && n != v.padding {
		err = fmt.Errorf("%d bytes after its numbers, needs %d", n, v.padding)
	}
	if err != nil {
		return fmt.Errorf("%q: %w", v.name, err)
	}
	return nil
}

// readMATElement reads a part of a variable's description, of the given type and at most so many bytes.
func readMATElement(r io.Reader, what string, kind uint32, most int64) ([]byte, error) {
	tag, err := readMATTag(r)
	if err != nil {
		return nil, err
	}
	if tag.kind != kind || tag.size > most {
		return nil, fmt.Errorf("%s of type %d and %d bytes, needs type %d and at most %d bytes", what, tag.kind, tag.size, kind, most)
	}
	if tag.data != nil {
		return tag.data, nil
	}
	data := make([]byte, (tag.size+7)/8*8)
	if _, err := io.ReadFull(r, data); err != nil {
		return nil, fmt.Errorf("%s: it is cut short: %w", what, err)
	}
	return data[:tag.size], nil
}

// counted counts the bytes that are read.
type counted struct {
	io.Reader
	count int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	c.count += int64(n)
	return n, err
}

// findVariable returns the array of that name.
func findVariable(variables []*matVariable, name string) (*matVariable, error) {
	var names []string
	for _, v := range variables {
		if v.name == name && v.array != nil {
			return v, nil
		}
		if names = append(names, v.name); v.name == name {
			return nil, fmt.Errorf("the variable %s is no array of real numbers", name)
		}
	}
	return nil, fmt.Errorf("there is no variable %s, but %s", name, onnxgraph.Listed(names))
}
