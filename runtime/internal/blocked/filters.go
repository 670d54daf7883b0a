package blocked

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// filters rearranges the filters [M, C, kh, kw] of one group to [M/B, C/B, kh, kw, B of C, B of M], or to [M/B, C, kh, kw, B] for
// an input in plain layout.
//
// ReorderInput moves one axis into blocks at the speed of memory, while Transpose moves single numbers. After that, only rows of
// B numbers must be reordered.
func (l *lowering) filters(w value) value {
	s, b := shapeOf(w), l.block
	m, c, taps := s[0], s[1], s[2]*s[3]
	outer := l.reorderInput(l.reshape(w, 1, m, c*s[2], s[3]), c*taps) // rows M/B, C, kh·kw
	if c < b {
		return l.reshape(outer, s...)
	}
	return l.rows(outer, func(yield func(row int64)) {
		for mo := range m / b {
			for co := range c / b {
				for t := range taps {
					for ci := range b {
						yield((mo*c+co*b+ci)*taps + t)
					}
				}
			}
		}
	}, s...)
}

// turnedFilters swaps the channels of filters [M, C, kh, kw] of one group, and selects the given taps, which are indices into
// kh·kw. The result is [C, M, h, w] in blocked layout.
func (l *lowering) turnedFilters(w value, taps []int64, height, width int64) value {
	s, b := shapeOf(w), l.block
	m, c, all := s[0], s[1], s[2]*s[3]
	inner := l.reorderInput(w, all) // rows M, C/B, kh·kw
	return l.rows(inner, func(yield func(row int64)) {
		for co := range c / b {
			for mo := range m / b {
				for _, t := range taps {
					for mi := range b {
						yield(((mo*b+mi)*(c/b)+co)*all + t)
					}
				}
			}
		}
	}, c, m, height, width)
}

// depthwiseTaps selects the given taps of filters [C, 1, kh, kw]. The result is [C, 1, h, w] in blocked layout.
func (l *lowering) depthwiseTaps(w value, taps []int64, height, width int64) value {
	c, all := shapeOf(w)[0], shapeOf(w)[2]*shapeOf(w)[3]
	return l.rows(l.depthwiseFilters(w), func(yield func(row int64)) {
		for co := range c / l.block {
			for _, t := range taps {
				yield(co*all + t)
			}
		}
	}, c, 1, height, width)
}

// rows returns rows of B numbers of v, in the order of the row indices that each yields.
func (l *lowering) rows(v value, each func(yield func(row int64)), shape ...int64) value {
	var places []int32
	each(func(row int64) { places = append(places, int32(row)) })
	order := l.constant(onnxgraph.NewTensor([]int64{int64(len(places))}, places))
	return l.reshape(l.Op("Gather", []value{l.reshape(v, -1, l.block), order}), shape...)
}

// reorderInput brings images with the given number of positions into blocked layout. It rearranges constants itself, because ONNX
// Runtime does not compute its own operators ahead of a run.
func (l *lowering) reorderInput(v value, space int64) value {
	if space == 1 {
		return v // the two layouts are the same
	}
	t := constantOf(v)
	if t == nil {
		return l.nchwc("ReorderInput", []value{v})
	}
	from, err := t.Float32s()
	if err != nil {
		return l.nchwc("ReorderInput", []value{v}) // its file is missing: ONNX Runtime reports it
	}
	to := make([]float32, 0, len(from))
	for block := range int64(len(from)) / (l.block * space) {
		for p := range space {
			for i := range l.block {
				to = append(to, from[(block*l.block+i)*space+p])
			}
		}
	}
	return l.constant(onnxgraph.NewTensor(shapeOf(v), to))
}

// constant returns a constant with the content of t. Equal tensors share one constant.
func (l *lowering) constant(t *onnxgraph.Tensor) value {
	sum, _ := t.SHA256() // t is in memory
	key := fmt.Sprint(t.DType(), t.Dims(), sum)
	if l.constants[key] == nil {
		l.constants[key] = l.Graph.AddConstant("blocked", t)
	}
	return l.constants[key]
}

// constantOf returns the tensor of v, also behind a Reshape, nil if v is not a constant.
func constantOf(v value) *onnxgraph.Tensor {
	for v.Producer() != nil && v.Producer().Is("Reshape") {
		v = v.Producer().Input(0)
	}
	return v.Constant()
}

// depthwiseFilters rearranges filters [C, 1, kh, kw] to [C/B, 1, kh, kw, B].
func (l *lowering) depthwiseFilters(w value) value {
	s := shapeOf(w)
	return l.reshape(l.reorderInput(l.reshape(w, 1, s[0], s[2], s[3]), s[2]*s[3]), s...)
}
