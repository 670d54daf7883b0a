package trainstep

import (
	"fmt"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas32"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// span is the 1×1 convolution of a merged block that trains coordinates instead of weights. In W = P·R with a fixed bank R, the
// gradient of P is dP = dW·Rᵀ. If an optimizer is linear in parameters and gradients, P and W therefore always have the form
//
//	P = s·P₀ + Z·Rᵀ      W = s·P₀·R + Z·(Rᵀ·R)
//
// with a number s that starts at 1, and Z of the size of W that starts at 0. So the step trains Z with the gradient dW, and s
// with the gradient 0, instead of P. The optimizer then changes P as if it trained P directly, including weight decay and
// momentum. The step contains neither P nor R, which grow with the expansion, so it costs the same as without blocks, whatever
// the expansion.
type span struct {
	pointwise, bank *onnxgraph.Tensor // P₀ and R
	groups          int
	size            int // length of a row of Z: input channels of a group × taps
}

// coordinates replace a span's weights in a step.
type coordinates struct {
	span    *span
	value   *onnxgraph.Value // Z, [M, size], or [g, M/g, size] if there are groups
	filters *onnxgraph.Value // W
}

// trainsByCoordinates reports whether a merged block can train coordinates, and has fewer of them than weights.
func (b *builder) trainsByCoordinates(block transform.Block, trains map[*onnxgraph.Value]bool) bool {
	bank, pointwise := block.Bank.Constant(), block.Pointwise.Constant()
	groups := block.PointwiseConv.Int("group", 1)
	return b.Optimizer.isLinear() && b.ClipNorm == 0 && block.Record.Layout != transform.Depthwise &&
		trains[block.Pointwise] && !trains[block.Bank] && len(block.Pointwise.Uses()) == 1 &&
		bank.DType() == onnxgraph.Float32 && pointwise.DType() == onnxgraph.Float32 &&
		bank.Dims()[0]/groups > bank.Len()/bank.Dims()[0]
}

// spanned emits the filters W, computed from coordinates.
func (b *builder) spanned(block transform.Block) (*onnxgraph.Value, error) {
	s := &span{
		pointwise: block.Pointwise.Constant(), bank: block.Bank.Constant(), groups: int(block.PointwiseConv.Int("group", 1)),
	}
	s.size = int(s.bank.Len() / s.bank.Dims()[0])
	m, err := s.matrices()
	if err != nil {
		return nil, fmt.Errorf("merging block %q: %w", block.Name, err)
	}
	filters := int(s.pointwise.Dims()[0])
	first, products := make([]float32, filters*s.size), make([]float32, s.groups*s.size*s.size)
	for i, g := range m {
		blas32.Gemm(blas.NoTrans, blas.NoTrans, 1, g.pointwise, g.bank, 0, matrix(g.pointwise.Rows, s.size, first, i))
		blas32.Gemm(blas.Trans, blas.NoTrans, 1, g.bank, g.bank, 0, matrix(s.size, s.size, products, i))
	}
	shape, square := []int64{int64(filters), int64(s.size)}, []int64{int64(s.size), int64(s.size)}
	if s.groups > 1 {
		groups := int64(s.groups)
		shape, square = []int64{groups, shape[0] / groups, shape[1]}, append([]int64{groups}, square...)
	}
	z := b.Graph.AddConstant(block.Name+".coordinates", onnxgraph.NewTensor(shape, make([]float32, len(first))))
	if b.share == nil {
		b.share = b.Graph.AddConstant("step.share", onnxgraph.NewTensor([]int64{1}, []float32{1}))
	}
	added := b.product(z, b.Graph.AddConstant(block.Name+".products", onnxgraph.NewTensor(square, products)), shape...)
	kept := b.mul(b.Graph.AddConstant(block.Name+".first", onnxgraph.NewTensor(shape, first)), b.share)
	sum := b.add(added, kept)
	for _, v := range []*onnxgraph.Value{kept, sum} {
		v.SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
	}
	w := b.reshaped(sum, append([]int64{int64(filters)}, s.bank.Dims()[1:]...)...)
	b.coordinates[block.Pointwise] = &coordinates{s, z, w}
	return w, nil
}

// pair is P₀ and R of one group.
type pair struct{ pointwise, bank blas32.General }

func (s *span) matrices() ([]pair, error) {
	p, err := s.pointwise.Float32s()
	if err != nil {
		return nil, err
	}
	r, err := s.bank.Float32s()
	if err != nil {
		return nil, err
	}
	rows, combined := int(s.pointwise.Dims()[0])/s.groups, int(s.bank.Dims()[0])/s.groups
	var list []pair
	for i := range s.groups {
		list = append(list, pair{matrix(rows, combined, p, i), matrix(combined, s.size, r, i)})
	}
	return list, nil
}

// matrix returns matrix i of data, which holds matrices of one shape, one after another.
func matrix(rows, columns int, data []float32, i int) blas32.General {
	return blas32.General{Rows: rows, Cols: columns, Stride: columns, Data: data[i*rows*columns:][:rows*columns]}
}

// weights returns P for the number s and coordinates Z.
func (s *span) weights(share float32, coordinates []float32) ([]float32, error) {
	m, err := s.matrices()
	if err != nil {
		return nil, err
	}
	var all []float32
	for i, g := range m {
		p := blas32.General{Rows: g.pointwise.Rows, Cols: g.pointwise.Cols, Stride: g.pointwise.Stride, Data: append([]float32{}, g.pointwise.Data...)}
		blas32.Gemm(blas.NoTrans, blas.Trans, 1, matrix(p.Rows, s.size, coordinates, i), g.bank, share, p)
		all = append(all, p.Data...)
	}
	return all, nil
}
