package onnxgraph

import (
	"bufio"
	"cmp"
	"crypto/sha256"
	"fmt"
	"hash"
	"io"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// run is a sequence of consecutive parts of a file.
type run struct {
	offset int64
	parts  []part
	sum    hash.Hash // checksum of the written bytes, nil if not needed
}

// writeParts writes parts one after another to a file, several runs in parallel. It returns the tensors with NaN or infinite
// elements.
func writeParts(w io.WriterAt, parts []part) ([]NotFinite, error) {
	return writeRuns(w, split(parts))
}

// writeSummed is like writeParts, and also returns a checksum of the written bytes.
func writeSummed(w io.WriterAt, parts []part) (atomicfile.Sum, []NotFinite, error) {
	runs := split(parts)
	for i := range runs {
		runs[i].sum = sha256.New()
	}
	found, err := writeRuns(w, runs)
	all := sha256.New()
	for _, r := range runs {
		all.Write(r.sum.Sum(nil))
	}
	return atomicfile.Sum(all.Sum(nil)), found, err
}

func writeRuns(w io.WriterAt, runs []run) ([]NotFinite, error) {
	found := make([][]NotFinite, len(runs))
	err := budget.Each(len(runs), func(i int) int64 { return runs[i].workspace() }, func(i int) (err error) {
		found[i], err = runs[i].write(w)
		return err
	})
	return slices.Concat(found...), err
}

// split groups parts into runs. Each run has enough bytes to be worth its own task.
func split(parts []part) []run {
	const enough = 1 << 20 // bytes
	var runs []run
	end, size := int64(0), int64(enough)
	for i, p := range parts {
		if size >= enough {
			runs = append(runs, run{offset: end})
			size = 0
		}
		last := &runs[len(runs)-1]
		last.parts = append(last.parts, parts[i])
		size += p.size
		end += p.size
	}
	return runs
}

// workspace estimates how many bytes of memory are needed to compute the elements of lazy tensors. Most are computed in float64,
// from one or two other constants.
func (r run) workspace() int64 {
	const times = 8
	size := int64(0)
	for _, p := range r.parts {
		if p.tensor == nil {
			continue
		}
		if _, computed := p.tensor.source.(*recipe); computed {
			size += times * p.size
		}
	}
	return size
}

func (r run) write(w io.WriterAt) (found []NotFinite, err error) {
	const small = 1 << 16 // bytes to collect before writing
	var to io.Writer = io.NewOffsetWriter(w, r.offset)
	if r.sum != nil {
		to = io.MultiWriter(to, r.sum)
	}
	out := bufio.NewWriterSize(to, small)
	for _, p := range r.parts {
		if p.tensor == nil {
			out.Write(p.bytes) // Flush returns the error
			continue
		}
		c := finiteness{Writer: out, dtype: p.tensor.DType()}
		if err := p.tensor.writeRaw(&c, p.size); err != nil {
			return nil, fmt.Errorf("constant %q: %w", p.name, err)
		}
		found = c.appendTo(found, cmp.Or(p.name, "a constant in a node"))
	}
	return found, out.Flush()
}

// memory is a file in memory that grows as it is written.
type memory []byte

func (m memory) WriteAt(p []byte, offset int64) (int, error) { return copy(m[offset:], p), nil }
