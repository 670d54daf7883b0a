package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// MergeBlocks replaces each frozen block of a model by one convolution, in place, if that takes less work and the block is linear.
// The model must be in the form for inference.
//
//	W = P·diag(scale)·R      bias = P·shift + b
//
// scale and shift come from the BatchNormalization between the convolutions, if there is one. If keep is not nil and returns true
// for that node, the block stays. The graph computes W from constants, so ONNX Runtime computes it only once, when it opens the
// model.
//
// MergeBlocks returns how many blocks are still two convolutions, and how many are now one. It fails if the model does not match
// its records of the blocks, and then leaves it unchanged.
func MergeBlocks(m *onnxgraph.Model, keep func(*onnxgraph.Node) bool) (twoConv, merged int, err error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return 0, 0, err
	}
	builders := map[*onnxgraph.Graph]*builder{}
	for _, block := range blocks {
		if !isLinear(block, keep) || !workOf(block).mergedInfersFaster() {
			twoConv++
			continue
		}
		g := block.BankConv.Graph()
		if builders[g] == nil {
			builders[g] = &builder{Builder: onnxgraph.NewBuilder(g)}
		}
		builders[g].mergeForInference(block)
		merged++
	}
	return twoConv, merged, nil
}

// isLinear reports whether a block is a linear map without a node to keep.
func isLinear(block transform.Block, keep func(*onnxgraph.Node) bool) bool {
	for _, n := range block.Between {
		isFixed := n.Is("BatchNormalization") && n.Int("training_mode", 0) == 0 && len(n.Outputs()) == 1 && n.Int("spatial", 1) == 1
		if !isFixed || keep != nil && keep(n) {
			return false
		}
	}
	return block.BankConv.Graph() == block.PointwiseConv.Graph()
}

// mergeForInference replaces a linear block by one convolution. Its weights are computed in float32 or float64.
func (b *builder) mergeForInference(block transform.Block) {
	dtype := block.Bank.Constant().DType()
	wide := dtype
	if dtype != onnxgraph.Float64 {
		wide = onnxgraph.Float32
	}
	weights, bias := b.cast(block.Pointwise, wide), block.PointwiseConv.Input(2)
	for _, n := range block.Between {
		weights, bias = b.foldNorm(block, n, weights, bias)
		bias = b.cast(bias, dtype)
	}
	filters := b.combined(block, weights, b.cast(block.Bank, wide))
	b.replace(block, b.mergedConv(block, b.cast(filters, dtype), bias))
}

// foldNorm folds a norm between the convolutions of a block into the weights and the bias of the second one; bias may be nil. The
// results have a dimension for the groups.
func (b *builder) foldNorm(block transform.Block, n *onnxgraph.Node, weights, bias *onnxgraph.Value) (scaled, shifted *onnxgraph.Value) {
	dtype, dims := weights.DType(), block.Pointwise.Constant().Dims()
	groups := block.PointwiseConv.Int("group", 1)
	out, maps := dims[0]/groups, dims[1]
	var p [4]*onnxgraph.Value // gamma, beta, mean, variance
	for i := range p {
		p[i] = b.cast(n.Input(i+1), dtype)
	}
	scale := b.div(p[0], b.Op("Sqrt", []*onnxgraph.Value{b.add(p[3], b.Fill(dtype, float64(n.Float("epsilon", 1e-5)), 1))}))
	shift := b.sub(p[1], b.mul(p[2], scale))
	scale.SetType(dtype, onnxgraph.Static(groups*maps))
	shift.SetType(dtype, onnxgraph.Static(groups*maps))

	matrices := b.reshaped(weights, groups, out, maps)
	shifted = b.reshaped(b.product(matrices, b.reshaped(shift, groups, maps, 1), groups, out, 1), groups*out)
	if bias != nil {
		shifted = b.add(b.cast(bias, dtype), shifted)
		shifted.SetType(dtype, onnxgraph.Static(groups*out))
	}
	scaled = b.mul(matrices, b.reshaped(scale, groups, 1, maps))
	scaled.SetType(dtype, onnxgraph.Static(groups, out, maps))
	return scaled, shifted
}

// cast returns a value in another type.
func (b *builder) cast(v *onnxgraph.Value, to onnxgraph.DType) *onnxgraph.Value {
	if v.DType() == to {
		return v
	}
	c := b.Op("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(to)))
	shape, _ := v.Shape()
	c.SetType(to, shape)
	return c
}
