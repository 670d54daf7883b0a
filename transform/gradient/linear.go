package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// gemmRule: Y = alpha·A'·B' + beta·C, where A' is A, transposed if transA is set, and B' likewise.
//
//	dA' = alpha·dY·B'ᵀ    dB' = alpha·A'ᵀ·dY    dC = beta·dY, summed to C's shape
func gemmRule(c *call) []value {
	a, b, dy := c.in(0), c.in(1), c.dy()
	transA, transB := c.Node.Int("transA", 0), c.Node.Int("transB", 0)
	alpha, beta := c.Node.Float("alpha", 1), c.Node.Float("beta", 1)
	product := func(x value, tx int64, y value, ty int64) value {
		return c.op("Gemm", []value{x, y}, onnxgraph.Float("alpha", alpha), onnxgraph.Int("transA", tx), onnxgraph.Int("transB", ty))
	}
	d := make([]value, 3)
	if transA == 0 {
		d[0] = product(dy, 0, b, 1-transB)
	} else {
		d[0] = product(b, transB, dy, 1)
	}
	if transB == 0 {
		d[1] = product(a, 1-transA, dy, 0)
	} else {
		d[1] = product(dy, 1, a, transA)
	}
	if c.in(2) != nil {
		d[2] = c.scale(c.sumTo(dy, c.shape(c.y()), c.shape(c.in(2))), float64(beta))
	}
	return d
}

// matMulRule: Y = A·B gives dA = dY·Bᵀ and dB = Aᵀ·dY, over leading dimensions that broadcast. A vector
// counts as a matrix of one row (as A) or one column (as B).
func matMulRule(c *call) []value {
	shapeA, shapeB := c.shape(c.in(0)), c.shape(c.in(1))
	rows, columns := slices.Clone(shapeA), slices.Clone(shapeB)
	if len(rows) == 1 {
		rows = append([]int64{1}, rows...)
	}
	if len(columns) == 1 {
		columns = append(columns, 1)
	}
	full := append(leading(rows, columns), rows[len(rows)-2], columns[len(columns)-1])
	a, b, dy := c.as(c.in(0), shapeA, rows), c.as(c.in(1), shapeB, columns), c.as(c.dy(), c.shape(c.y()), full)
	da := c.op("MatMul", []value{dy, c.swapLast(b, columns)})
	db := c.op("MatMul", []value{c.swapLast(a, rows), dy})
	batch := full[:len(full)-2]
	da = c.sumTo(da, append(slices.Clone(batch), rows[len(rows)-2:]...), rows)
	db = c.sumTo(db, append(slices.Clone(batch), columns[len(columns)-2:]...), columns)
	return []value{c.as(da, rows, shapeA), c.as(db, columns, shapeB)}
}

// leading returns the broadcast of all but the last two dimensions of two shapes.
func leading(a, b []int64) []int64 {
	a, b = a[:len(a)-2], b[:len(b)-2]
	if len(a) < len(b) {
		a, b = b, a
	}
	out := slices.Clone(a)
	for i, d := range b {
		if k := len(a) - len(b) + i; out[k] == 1 {
			out[k] = d
		}
	}
	return out
}

// as reshapes v, unless it already has the shape.
func (c *call) as(v value, from, to []int64) value {
	if slices.Equal(from, to) {
		return v
	}
	return c.reshape(v, to...)
}

// swapLast transposes the last two dimensions of v, which has the given shape.
func (c *call) swapLast(v value, shape []int64) value {
	rank := len(shape)
	perm := sequence(0, rank)
	perm[rank-2], perm[rank-1] = perm[rank-1], perm[rank-2]
	return c.transpose(v, shape, perm...)
}
