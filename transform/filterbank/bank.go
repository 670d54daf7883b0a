package filterbank

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
)

// Default is the name of the bank that is used if none is named.
const Default = "kaiming-uniform"

// Bank is one kind of filter bank.
type Bank struct {
	Name string // the name to pass to Generate
	Doc  string // one line for lists and help texts

	draw      func(Stream, Spec) drawing
	dependent bool // its filters depend on each other, so that none can be drawn again alone
}

// drawing fills out with the elements of a bank, in row-major order, starting at element from.
type drawing func(out []float32, from int)

// banks lists every kind of bank. To add a kind, add a row.
var banks = []Bank{
	{Default, "uniform in ±1/√fan_in, PyTorch's default for a new convolution", kaimingUniform, false},
	{"kaiming-normal", "normal with standard deviation √(2/fan_in), He initialization", kaimingNormal, false},
	{"orthogonal", "random filters that are orthonormal within each group", orthogonal, true},
}

// Register adds your own kind of bank under a new name. Call it when the program starts, not while banks are drawn. draw sets all
// numbers of a bank, Filters × Shape in row-major order. For equal arguments it must set equal numbers, because models record
// only the seed of a bank. Its filters are used as they are, even if they are nearly linearly dependent. Register fails if the
// name is empty or already taken.
func Register(name, doc string, draw func(random Stream, spec Spec, bank []float32)) error {
	if name == "" || slices.Contains(Names(), name) {
		return fmt.Errorf("registering bank %q: needs a name that no other has: %s", name, strings.Join(Names(), ", "))
	}
	banks = append(banks, Bank{name, doc, func(random Stream, spec Spec) drawing {
		whole := sync.OnceValue(func() []float32 {
			bank := make([]float32, spec.Filters*spec.fanIn())
			draw(random, spec, bank)
			return bank
		})
		return func(out []float32, from int) { copy(out, whole()[from:]) }
	}, true})
	return nil
}

// Banks returns every kind of bank, the default one first.
func Banks() []Bank { return append([]Bank(nil), banks...) }

// Names returns the names of all kinds of bank, the default one first.
func Names() []string {
	names := make([]string, len(banks))
	for i, b := range banks {
		names[i] = b.Name
	}
	return names
}

// Spec describes a bank: the seed and name of its random numbers, and its shape. Equal specs give equal banks of the same kind.
type Spec struct {
	Seed    uint64 // seed of the random stream
	Stream  string // name of the random stream, usually the name of the block
	Filters int    // total number of filters J in all groups
	Shape   []int  // shape of one filter: channels per group, then the kernel, for example [16, 3, 3]
	Groups  int    // groups of the convolution; divides Filters
	// Trains says that these weights will train, so they keep the first values drawn. In fixed banks, filters that are nearly
	// linear combinations of others are drawn again.
	Trains bool
}

// fanIn is the number of weights of one filter.
func (s Spec) fanIn() int {
	n := 1
	for _, d := range s.Shape {
		n *= d
	}
	return n
}

// maxElements is the length of a Stream, and so the size of the largest bank.
const maxElements = 1 << 32

// check reports everything that is wrong with s.
func (s Spec) check() error {
	var errs []error
	if s.Filters < 1 {
		errs = append(errs, fmt.Errorf("number of filters is %d, needs 1 or more", s.Filters))
	}
	if s.Groups < 1 {
		errs = append(errs, fmt.Errorf("number of groups is %d, needs 1 or more", s.Groups))
	} else if s.Filters%s.Groups != 0 {
		errs = append(errs, fmt.Errorf("%d filters do not divide into %d groups", s.Filters, s.Groups))
	}
	if len(s.Shape) == 0 {
		errs = append(errs, errors.New("filter shape is empty, needs the channels per group and the kernel"))
	}
	elements := float64(s.Filters)
	for _, d := range s.Shape {
		if d < 1 {
			errs = append(errs, fmt.Errorf("filter shape %v has the dimension %d, needs 1 or more", s.Shape, d))
		}
		elements *= float64(d)
	}
	if len(errs) == 0 && elements > maxElements {
		errs = append(errs, fmt.Errorf("%d filters of shape %v have %.3g weights, more than the %d of one random stream",
			s.Filters, s.Shape, elements, int64(maxElements)))
	}
	return errors.Join(errs...)
}

// Generate returns the named bank as J × shape numbers in row-major order, which is the layout of an ONNX Conv's weight. The same
// name and spec give the same bits on every platform. Generate fails if no bank has that name, or if the spec is invalid; the
// error lists all its faults.
func Generate(name string, spec Spec) ([]float32, error) {
	start, err := prepare(name, spec)
	if err != nil {
		return nil, err
	}
	bank := make([]float32, spec.Filters*spec.fanIn())
	start()(bank, 0)
	return bank, nil
}

// pieceSize is how many numbers Pieces draws at a time; so many fit into the processor's cache.
const pieceSize = 1 << 15

// Pieces returns the numbers of Generate in pieces, or its error. All pieces share one slice, so use each before the next. A bank
// therefore need not fit into memory, unless its elements depend on each other. You can iterate more than once.
func Pieces(name string, spec Spec) iter.Seq2[[]float32, error] {
	start, err := prepare(name, spec)
	return func(yield func([]float32, error) bool) {
		if err != nil {
			yield(nil, err)
			return
		}
		draw := start()
		count := spec.Filters * spec.fanIn()
		piece := make([]float32, min(pieceSize, count))
		for from := 0; from < count; from += len(piece) {
			piece = piece[:min(len(piece), count-from)]
			draw(piece, from)
			if !yield(piece, nil) {
				return
			}
		}
	}
}

// prepare returns a function that starts to draw the named bank. Its first call may compute small results that later calls reuse.
func prepare(name string, spec Spec) (start func() drawing, err error) {
	for _, b := range banks {
		if b.Name != name {
			continue
		}
		if err := spec.check(); err != nil {
			return nil, fmt.Errorf("generating bank %s for %q: %w", name, spec.Stream, err)
		}
		if b.dependent || spec.Trains {
			return func() drawing { return b.draw(NewStream(spec.Seed, spec.Stream), spec) }, nil
		}
		return sync.OnceValue(func() drawing { return conditioned(b.draw, spec) }), nil
	}
	return nil, fmt.Errorf("generating bank for %q: no bank is named %q; choose one of %s",
		spec.Stream, name, strings.Join(Names(), ", "))
}
