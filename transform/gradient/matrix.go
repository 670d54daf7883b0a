package gradient

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// matrix is a linear map along one axis. Each row computes one output element as a weighted sum of input elements.
type matrix struct {
	rows, columns int64
	data          []float64
}

func newMatrix(rows, columns int64) matrix {
	return matrix{rows, columns, make([]float64, rows*columns)}
}

func (m matrix) add(row, column int64, v float64) { m.data[row*m.columns+column] += v }

func (m matrix) isIdentity() bool {
	identity := newMatrix(m.columns, m.columns)
	for i := range m.columns {
		identity.add(i, i, 1)
	}
	return slices.Equal(m.data, identity.data)
}

// along applies the transpose of m along an axis of d. This turns the gradient of the map's output into that of its input.
func (c *call) along(d value, shape []int64, axis int64, m matrix) value {
	if m.isIdentity() {
		return d
	}
	outer, inner := onnxgraph.ElementCount(shape[:axis]), onnxgraph.ElementCount(shape[axis+1:])
	after := append(append(append([]int64{}, shape[:axis]...), m.columns), shape[axis+1:]...)
	if inner == 1 {
		return c.reshape(c.op("MatMul", []value{c.reshape(d, outer, m.rows), c.constant("along", []int64{m.rows, m.columns}, m.data)}), after...)
	}
	transposed := make([]float64, len(m.data))
	for i := range m.rows {
		for j := range m.columns {
			transposed[j*m.rows+i] = m.data[i*m.columns+j]
		}
	}
	product := c.op("MatMul", []value{c.constant("along", []int64{m.columns, m.rows}, transposed), c.reshape(d, outer, m.rows, inner)})
	return c.reshape(product, after...)
}
