package transform

import (
	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// source returns the source's filters in the block's kernel.
func (c *candidate) source() ([]float64, error) {
	w, err := c.conv.Filters.Float64s()
	if err == nil && c.begin != nil {
		w = weights.Embed(w, weights.Ints(c.conv.Filters.Dims())[2:], c.kernel, c.begin)
	}
	return w, err
}

// build makes the block's tensors and completes the row. moments is nil without data.
func (c *candidate) build(o Options, moments *projection.Moments) error {
	err := c.makeTensors(o, moments)
	if err == nil {
		c.bankHash, err = weights.Hash(c.bank)
	}
	return err
}

func (c *candidate) makeTensors(o Options, moments *projection.Moments) error {
	if o.Pointwise == Random {
		c.makeRandom(o)
		return nil
	}
	if o.Pointwise == Identity {
		return c.makeIdentity(o)
	}
	w, err := c.source()
	if err != nil {
		return err
	}
	q, err := newLeastSquares(w, moments, o)
	if err != nil {
		return err
	}
	if o.MaxError > 0 {
		return c.makeSmallest(o, q)
	}
	return c.makeBest(o, q)
}

// The tensors of random and identity weights, and all banks, are computed again when the model is saved, because those of a large
// model may not fit into memory together.

func (c *candidate) makeRandom(o Options) {
	c.bank = c.drawBank(o)
	c.pointwise = drawn(c.conv.Filters.DType(), c.pointwiseDims(), filterbank.Default, filterbank.Spec{Seed: o.Seed,
		Stream: c.row.Node + "/pointwise", Filters: c.pointwiseDims()[0], Shape: c.pointwiseDims()[1:], Groups: c.groups, Trains: true})
}

func (c *candidate) makeIdentity(o Options) error {
	c.row.Error = new(float64)
	source, bankDims, pointwiseDims := c.conv.Filters, weights.Int64s(c.bankDims()...), weights.Int64s(c.pointwiseDims()...)
	c.pointwise = onnxgraph.NewLazyTensor(source.DType(), pointwiseDims, func() (*onnxgraph.Tensor, error) {
		return onnxgraph.FromFloat64s(source.DType(), pointwiseDims, c.identity())
	})
	if c.begin == nil {
		var err error
		c.bank, err = source.Reshaped(bankDims)
		return err
	}
	c.bank = onnxgraph.NewLazyTensor(source.DType(), bankDims, func() (*onnxgraph.Tensor, error) {
		w, err := c.source()
		if err != nil {
			return nil, err
		}
		return onnxgraph.FromFloat64s(source.DType(), bankDims, w)
	})
	return nil
}

// makeBest draws the bank and solves for the pointwise weights.
func (c *candidate) makeBest(o Options, q leastSquares) error {
	c.bank = c.drawBank(o)
	bank, err := c.bank.Float64s() // rounded to the model's type
	if err == nil {
		_, err = c.bank.SHA256() // compute the hash for build while the elements are in memory
	}
	if err != nil {
		return err
	}
	p, condition, err := q.solve(c.shape, bank)
	if err != nil {
		return err
	}
	if condition > 0 {
		c.row.Condition = &condition
	}
	c.pointwise = weights.Floats(c.conv.Filters.DType(), weights.Int64s(c.pointwiseDims()...), p)
	if p, err = c.pointwise.Float64s(); err != nil {
		return err
	}
	if c.combined, err = c.combine(p, bank); err != nil {
		return err
	}
	c.row.Error = new(relativeError(q.filters, c.combined))
	if q.moments != nil {
		c.row.OutputError = new(float64)
		*c.row.OutputError, err = q.moments.OutputError(q.filters, c.combined)
	}
	return err
}

// drawBank draws the block's bank.
func (c *candidate) drawBank(o Options) *onnxgraph.Tensor {
	return c.shape.draw(c.conv.Filters.DType(), o.Bank, o.Seed, c.row.Node)
}

// draw draws a bank of the given kind for the block of that name.
func (s shape) draw(dtype onnxgraph.DType, bank string, seed uint64, block string) *onnxgraph.Tensor {
	dims := s.bankDims()
	return drawn(dtype, dims, bank, filterbank.Spec{Seed: seed, Stream: block, Filters: dims[0], Shape: dims[1:], Groups: s.bankGroups()})
}

// drawn returns a bank as a tensor with the given type and dims.
func drawn(dtype onnxgraph.DType, dims []int, bank string, spec filterbank.Spec) *onnxgraph.Tensor {
	pieces := filterbank.Pieces(bank, spec)
	return onnxgraph.NewPiecewiseTensor(dtype, weights.Int64s(dims...), func(yield func(*onnxgraph.Tensor, error) bool) {
		for piece, err := range pieces {
			var t *onnxgraph.Tensor
			if err == nil {
				t, err = tensorOf(dtype, piece)
			}
			if !yield(t, err) {
				return
			}
		}
	})
}

// tensorOf returns a tensor of the given type. It may keep numbers.
func tensorOf(dtype onnxgraph.DType, numbers []float32) (*onnxgraph.Tensor, error) {
	dims := weights.Int64s(len(numbers))
	if dtype == onnxgraph.Float32 {
		return onnxgraph.NewTensor(dims, numbers), nil
	}
	wide := make([]float64, len(numbers))
	for i, v := range numbers {
		wide[i] = float64(v)
	}
	return onnxgraph.FromFloat64s(dtype, dims, wide)
}

// Redraw returns a new bank for the block, of the kind that its record names and drawn from the given seed. A bank that had the
// source's filters (see Identity) becomes one of filterbank.Default. Redraw sets Seed and Bank in b.Record, and changes nothing
// in the model. To use the bank, call b.Bank.SetConstant with it, and then b.Rehash for each block that has this bank.
func (b *Block) Redraw(seed uint64) *onnxgraph.Tensor {
	if b.Record.Bank == sourceBank {
		b.Record.Bank = filterbank.Default
	}
	b.Record.Seed = seed
	return b.shape.draw(b.Bank.DType(), b.Record.Bank, seed, b.Name)
}
