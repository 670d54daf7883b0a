package trainstep

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// BlockForm says how a training step computes frozen blocks.
type BlockForm string

// The forms of blocks.
const (
	// TwoConv runs the bank's convolution and the 1×1 convolution, as they are in the file. Its cost grows with the expansion,
	// but it needs no gradient of spatial filters. The gradient of the input goes through the combined filters W = P·R if that
	// takes less work.
	TwoConv BlockForm = "two-conv"
	// Merged computes the combined filters W = P·R in the graph, and runs one convolution. Its cost hardly grows with the
	// expansion. With SGD, no ClipNorm, and a dense fixed bank that has more filters (in each group) than one filter has weights,
	// it does not grow at all, because the block then trains coordinates instead of P (see the package's comment). Blocks with
	// other nodes between their convolutions stay as they are.
	Merged BlockForm = "merged"
	// AutoForm estimates which form of each block takes less time, and uses that one.
	AutoForm BlockForm = "auto"
)

// UnmarshalText reads a form as checkpoints name it. Older ones name Merged "folded".
func (f *BlockForm) UnmarshalText(text []byte) error {
	if *f = BlockForm(text); *f == "folded" {
		*f = Merged
	}
	return nil
}

// BlockForms returns all forms.
func BlockForms() []BlockForm { return []BlockForm{AutoForm, TwoConv, Merged} }

// mergeBlocks brings the model's blocks into the form that the options require.
func (b *builder) mergeBlocks() error {
	form := cmp.Or(b.BlockForm, AutoForm)
	if !slices.Contains(BlockForms(), form) {
		return fmt.Errorf("no block form %q: there are %v", form, BlockForms())
	}
	blocks, err := transform.Blocks(b.step.Model)
	if err != nil {
		return err
	}
	trains := b.Graph.Dependents(b.values(b.Trained), nil)
	for _, block := range blocks {
		// A norm between the two normalizes by the statistics of the batch, so it cannot be merged.
		canMerge := block.Record.Between == transform.None && block.BankConv.Graph() == b.Graph
		if canMerge && (form == Merged || form == AutoForm && mergedIsCheaper(block, trains)) {
			if err := b.merge(block, trains); err != nil {
				return err
			}
			b.step.Merged++
			continue
		}
		if canMerge {
			b.shorten(block, trains)
		}
		b.step.TwoConv++
	}
	return nil
}

// merge replaces a block by one convolution with the combined filters. trains holds the values that train, and those that depend
// on them.
func (b *builder) merge(block transform.Block, trains map[*onnxgraph.Value]bool) error {
	filters, err := b.filters(block, trains)
	if err != nil {
		return err
	}
	b.replace(block, b.mergedConv(block, filters, block.PointwiseConv.Input(2)))
	return nil
}

// replace replaces a block by a convolution.
func (b *builder) replace(block transform.Block, conv *onnxgraph.Node) {
	pointwise := block.PointwiseConv
	between := pointwise.Input(0)
	conv.TakeOutput(0, pointwise)
	b.Graph.Remove(pointwise)
	onnxgraph.RemoveUnused(between) // other nodes may read values inside the block, too
}

// filters emits the combined filters of a block, from coordinates if the block trains these.
func (b *builder) filters(block transform.Block, trains map[*onnxgraph.Value]bool) (*onnxgraph.Value, error) {
	if b.trainsByCoordinates(block, trains) {
		return b.spanned(block)
	}
	return b.combined(block, block.Pointwise, block.Bank), nil
}

// mergedConv adds the convolution that computes the same as the block, with the given filters, and the bias unless it is nil.
func (b *builder) mergedConv(block transform.Block, filters, bias *onnxgraph.Value) *onnxgraph.Node {
	bank, pointwise := block.BankConv, block.PointwiseConv
	inputs := []*onnxgraph.Value{bank.Input(0), filters}
	if bias != nil {
		inputs = append(inputs, bias)
	}
	attrs := append(slices.Clone(bank.Attributes()), onnxgraph.Int("group", pointwise.Int("group", 1)))
	conv := b.Graph.AddNode("Conv", inputs)
	conv.SetAttr(attrs...) // of two attributes with one name, the later counts
	return conv
}

// shorten sends the gradient through the combined filters of a block of two convolutions, if that takes less work and nothing
// else needs the gradient between the two.
func (b *builder) shorten(block transform.Block, trains map[*onnxgraph.Value]bool) {
	if trains[block.Bank] || !trains[block.BankConv.Input(0)] || !workOf(block).shortens() {
		return
	}
	y := block.PointwiseConv.Output(0)
	conv := b.mergedConv(block, b.combined(block, block.Pointwise, block.Bank), block.PointwiseConv.Input(2))
	shape, _ := y.StaticShape()
	conv.Output(0).SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
	b.shortcuts = append(b.shortcuts, gradient.Shortcut{Last: block.BankConv, Node: conv, Y: y})
}

// combined emits W = P·R in the shape of the source's filters. With M filters in g groups, C input channels per group and K taps
// per kernel:
//
//	dense      P [g, M/g, J] · R [g, J, C·K]               J bank filters per group
//	depthwise  P [g, C, M/g, m] · R [g, C, m, K]           m bank filters per input channel
//
// If there is one group, it has no dimension: ONNX Runtime packs a single constant matrix only once, but a batch of matrices each
// time. P and R may come in any shape.
func (b *builder) combined(block transform.Block, weights, filters *onnxgraph.Value) *onnxgraph.Value {
	bank, pointwise := block.Bank.Constant().Dims(), block.Pointwise.Constant().Dims()
	groups := block.PointwiseConv.Int("group", 1)
	out, perGroup := pointwise[0]/groups, bank[0]/groups
	kernel := bank[2:]
	taps := Segment{Shape: kernel}.Len()
	if block.Record.Layout == transform.Depthwise {
		m := int64(block.Record.Expansion)
		channels := perGroup / m
		p := b.typed("Transpose", b.reshaped(weights, groups, out, channels, m), []int64{groups, channels, out, m}, onnxgraph.Ints("perm", 0, 2, 1, 3))
		product := b.product(p, b.reshaped(filters, groups, channels, m, taps), groups, channels, out, taps)
		product = b.typed("Transpose", product, []int64{groups, out, channels, taps}, onnxgraph.Ints("perm", 0, 2, 1, 3))
		return b.reshaped(product, append([]int64{pointwise[0], channels}, kernel...)...)
	}
	if groups == 1 {
		product := b.product(b.reshaped(weights, out, perGroup), b.reshaped(filters, perGroup, bank[1]*taps), out, bank[1]*taps)
		return b.reshaped(product, append([]int64{pointwise[0], bank[1]}, kernel...)...)
	}
	product := b.product(b.reshaped(weights, groups, out, perGroup), b.reshaped(filters, groups, perGroup, bank[1]*taps), groups, out, bank[1]*taps)
	return b.reshaped(product, append([]int64{pointwise[0], bank[1]}, kernel...)...)
}

func (b *builder) reshaped(v *onnxgraph.Value, shape ...int64) *onnxgraph.Value {
	r := b.Op("Reshape", []*onnxgraph.Value{v, b.Ints(shape...)})
	r.SetType(v.DType(), onnxgraph.Static(shape...))
	return r
}

func (b *builder) typed(opType string, v *onnxgraph.Value, shape []int64, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	r := b.Op(opType, []*onnxgraph.Value{v}, attrs...)
	r.SetType(v.DType(), onnxgraph.Static(shape...))
	return r
}

func (b *builder) product(p, r *onnxgraph.Value, shape ...int64) *onnxgraph.Value {
	v := b.binary("MatMul", p, r)
	v.SetType(p.DType(), onnxgraph.Static(shape...))
	return v
}
