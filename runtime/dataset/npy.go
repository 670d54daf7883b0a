package dataset

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/archive"
)

// array is a NumPy array in C order, with its elements as bytes.
type array struct {
	dtype element
	dims  []int64
	count int64 // number of elements
	data  []byte
}

// element is a NumPy element type.
type element struct {
	name  string
	size  int
	whole bool // elements are integers
	value func(b []byte) float64
}

var little = binary.LittleEndian

var elements = byName(
	element{"|u1", 1, true, func(b []byte) float64 { return float64(b[0]) }},
	element{"|i1", 1, true, func(b []byte) float64 { return float64(int8(b[0])) }},
	element{"<u2", 2, true, func(b []byte) float64 { return float64(little.Uint16(b)) }},
	element{"<i2", 2, true, func(b []byte) float64 { return float64(int16(little.Uint16(b))) }},
	element{"<u4", 4, true, func(b []byte) float64 { return float64(little.Uint32(b)) }},
	element{"<i4", 4, true, func(b []byte) float64 { return float64(int32(little.Uint32(b))) }},
	element{"<u8", 8, true, func(b []byte) float64 { return float64(little.Uint64(b)) }},
	element{"<i8", 8, true, func(b []byte) float64 { return float64(int64(little.Uint64(b))) }},
	element{"<f4", 4, false, func(b []byte) float64 { return float64(math.Float32frombits(little.Uint32(b))) }},
	element{"<f8", 8, false, func(b []byte) float64 { return math.Float64frombits(little.Uint64(b)) }},
)

func byName(list ...element) map[string]element {
	m := map[string]element{}
	for _, e := range list {
		m[e.name] = e
	}
	return m
}

// at returns element i.
func (a *array) at(i int) float64 { return a.dtype.value(a.data[i*a.dtype.size:]) }

// openNPY reads the beginning of a .npy stream of the given bytes: a magic string, the version, the length of the header, and the
// header, which is a Python dictionary. The elements follow. It fails if the stream is too short for as many elements as the
// header says.
func openNPY(r io.Reader, bytes int64) (*array, error) {
	header, length, err := readNPYHeader(r)
	if err != nil {
		return nil, err
	}
	a, err := parseNPYHeader(header)
	if err != nil {
		return nil, err
	}
	if a.count, err = product(a.dims...); err != nil {
		return nil, err
	}
	switch has := bytes - length; {
	case has < a.size():
		err = archive.CutShort(a.size(), has)
	case has > a.size():
		err = archive.TooLong(a.size())
	}
	return a, err
}

// size returns how many bytes the elements have.
func (a *array) size() int64 { return a.count * int64(a.dtype.size) }

// readNPYHeader returns the header, and the number of bytes up to its end.
func readNPYHeader(r io.Reader) (string, int64, error) {
	var start [8]byte
	if _, err := io.ReadFull(r, start[:]); err != nil {
		return "", 0, fmt.Errorf("the header is cut short: %w", err)
	}
	if string(start[:6]) != "\x93NUMPY" {
		return "", 0, fmt.Errorf("not a NumPy array: it starts with %q", start[:6])
	}
	length := make([]byte, 4)
	if start[6] == 1 {
		length = length[:2]
	}
	if _, err := io.ReadFull(r, length); err != nil {
		return "", 0, fmt.Errorf("the header is cut short: %w", err)
	}
	size := uint32(little.Uint16(length))
	if len(length) == 4 {
		size = little.Uint32(length)
	}
	const most = 1 << 16
	if size > most {
		return "", 0, fmt.Errorf("a header of %d bytes: the header of a plain array has less than %d", size, most)
	}
	header := make([]byte, size)
	if _, err := io.ReadFull(r, header); err != nil {
		return "", 0, fmt.Errorf("the header is cut short: %w", err)
	}
	return string(header), int64(len(start) + len(length) + len(header)), nil
}

var (
	npyDescr = regexp.MustCompile(`'descr'\s*:\s*'([^']*)'`)
	npyOrder = regexp.MustCompile(`'fortran_order'\s*:\s*(True|False)`)
	npyShape = regexp.MustCompile(`'shape'\s*:\s*\(([^)]*)\)`)
)

func parseNPYHeader(header string) (*array, error) {
	descr, order, shape := npyDescr.FindStringSubmatch(header), npyOrder.FindStringSubmatch(header), npyShape.FindStringSubmatch(header)
	if descr == nil || order == nil || shape == nil {
		return nil, fmt.Errorf("the header %q does not describe a plain array", header)
	}
	if order[1] == "True" {
		return nil, fmt.Errorf("elements are in Fortran order: save numpy.ascontiguousarray of the array")
	}
	dtype, ok := elements[descr[1]]
	if !ok {
		return nil, fmt.Errorf("elements of type %q: save the array as one of %s", descr[1], strings.Join(slices.Sorted(maps.Keys(elements)), ", "))
	}
	a := &array{dtype: dtype}
	for text := range strings.SplitSeq(shape[1], ",") {
		if text = strings.TrimSpace(text); text == "" {
			continue // after the comma of "(60000,)"
		}
		dim, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("shape (%s): %w", shape[1], err)
		}
		a.dims = append(a.dims, dim)
	}
	return a, nil
}
