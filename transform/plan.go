package transform

import (
	"fmt"
	"math"
	"slices"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// oldestOpset is the first whose Conv and BatchNormalization are as this package reads and writes them.
const oldestOpset = 7

// Plan returns what Convert would report, and changes nothing.
func Plan(m *onnxgraph.Model, o Options) ([]Conversion, error) {
	candidates, err := prepare(m, o.withDefaults())
	if err != nil {
		return nil, fmt.Errorf("planning frozen blocks: %w", err)
	}
	err = buildAll(candidates, o.withDefaults(), func(c *candidate) { c.bank, c.pointwise = nil, nil })
	if err != nil {
		return nil, fmt.Errorf("planning frozen blocks: %w", err)
	}
	return rows(candidates), nil
}

// candidate is a convolution that may become a block.
type candidate struct {
	row  Conversion
	conv convolution // as it is in the block: with the new kernel and pads
	shape
	begin []int // where the source's kernel begins in the new one, nil if the kernel stays

	bank, pointwise *onnxgraph.Tensor // once built
}

func rows(candidates []*candidate) []Conversion {
	list := make([]Conversion, len(candidates))
	for i, c := range candidates {
		list[i] = c.row
	}
	return list
}

// prepare lists the model's convolutions and decides which to convert.
func prepare(m *onnxgraph.Model, o Options) ([]*candidate, error) {
	if err := o.check(); err != nil {
		return nil, err
	}
	blocks, err := Blocks(m)
	if err != nil {
		return nil, err
	}
	inBlock := map[*onnxgraph.Node]string{}
	isBank := map[*onnxgraph.Node]bool{}
	taken := map[string]bool{}
	for _, b := range blocks {
		inBlock[b.BankConv] = fmt.Sprintf("the bank of frozen block %q", b.Name)
		inBlock[b.PointwiseConv] = fmt.Sprintf("the 1×1 convolution of frozen block %q", b.Name)
		isBank[b.BankConv] = true
		taken[b.Name] = true
	}
	var candidates []*candidate
	var names []string
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			other := otherConvolution(n)
			if other == "" && !n.Is("Conv") {
				continue
			}
			c := &candidate{row: Conversion{Outcome: outcomeOf(n), Operator: n.OpType()}}
			switch block := inBlock[n]; {
			case other != "":
				c.row.skip(other)
			case block != "":
				c.conv, _ = readConv(n)
				c.row.describe(c.conv)
				if cost := c.row.Before; isBank[n] {
					c.row.Before = Cost{Bank: cost.Trainable, MACs: cost.MACs}
					c.row.After = c.row.Before
				}
				c.row.skip("it is " + block)
			default:
				c.row.Node = blockName(n, taken)
				c.decide(n, o)
			}
			if c.row.Status == "" && m.Opset("") < oldestOpset {
				c.row.skip(fmt.Sprintf("operator set %d is older than %d: %s", m.Opset(""), oldestOpset, upgradeHint))
			}
			candidates, names = append(candidates, c), append(names, c.row.Node)
		}
	}
	return candidates, o.unmatched(names)
}

const upgradeHint = "raise it with ONNX's version converter, or export the model again"

// blockName returns the name of the block that n may become: n's own, made unique if several nodes have it.
func blockName(n *onnxgraph.Node, taken map[string]bool) string {
	base := nameOf(n)
	name := base
	for i := 2; taken[name]; i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	taken[name] = true
	return name
}

// decide reads the convolution and fills in its row; one that is not skipped has no status yet.
func (c *candidate) decide(n *onnxgraph.Node, o Options) {
	var reason string
	c.conv, reason = readConv(n)
	c.row.describe(c.conv)
	if reason == "" {
		reason = o.reasonAgainst(c.row.Node, c.conv)
	}
	if k := o.KernelSize; reason == "" && k > 0 && (slices.Min(c.conv.kernel) != k || slices.Max(c.conv.kernel) != k) {
		c.conv, c.begin, reason = c.conv.resized(k)
		c.row.NewKernel = c.conv.kernel
	}
	if reason != "" {
		c.row.skip(reason)
		return
	}
	c.row.Note = c.conv.note()
	c.shape = shape{o.Layout, o.Expansion, c.conv.groups, c.conv.out / c.conv.groups, c.conv.in / c.conv.groups, c.conv.kernel}
}

// buildAll makes the tensors of all convolutions that are not skipped, and calls then for each.
func buildAll(candidates []*candidate, o Options, then func(*candidate)) error {
	cost := func(i int) int64 {
		if candidates[i].row.Status == Skipped {
			return 0
		}
		return candidates[i].workspace()
	}
	return forEach(len(candidates), cost, func(i int) error {
		c := candidates[i]
		if c.row.Status == Skipped {
			return nil
		}
		if err := c.build(o); err != nil {
			return fmt.Errorf("convolution %q: %w", c.row.Node, err)
		}
		then(c)
		return nil
	})
}

// build makes the block's tensors and completes the row.
func (c *candidate) build(o Options) error {
	w, err := c.conv.filters.Float64s()
	if err != nil {
		return err
	}
	if c.begin != nil {
		w = embed(w, ints(c.conv.filters.Dims())[2:], c.kernel, c.begin)
	}
	if c.bank, err = c.makeBank(o); err != nil {
		return err
	}
	bank, err := c.bank.Float64s() // as rounded to the model's type
	if err == nil {
		_, err = c.bank.SHA256() // which apply asks for, while its elements are at hand
	}
	if err != nil {
		return err
	}
	if c.pointwise, err = c.makePointwise(o, w, bank); err != nil {
		return err
	}
	p, err := c.pointwise.Float64s()
	if err != nil {
		return err
	}
	combined, err := c.combine(p, bank)
	if err != nil {
		return err
	}
	c.row.Status, c.row.Expansion, c.row.Error = Converted, o.Expansion, relativeError(w, combined)
	c.row.After = Cost{Bank: c.bank.Len(), Trainable: c.pointwise.Len() + biasCount(c.conv),
		MACs: (c.bank.Len() + c.pointwise.Len()) * positions(c.conv.node.Output(0))}
	if o.Between == BatchNorm || o.Between == BatchNormReLU {
		c.row.After.Trainable += 2 * int64(c.bankDims()[0])
	}
	return nil
}

// makeBank and makePointwise return tensors that are computed again when the model is saved, where that is cheap: those of
// a large model together need not fit in memory.
func (c *candidate) makeBank(o Options) (*onnxgraph.Tensor, error) {
	source, dims := c.conv.filters, int64s(c.bankDims()...)
	switch {
	case o.Pointwise == Identity && c.begin == nil:
		return source.Reshaped(dims)
	case o.Pointwise == Identity:
		return onnxgraph.NewLazyTensor(source.DType(), dims, func() (*onnxgraph.Tensor, error) {
			w, err := source.Float64s()
			if err != nil {
				return nil, err
			}
			w = embed(w, ints(source.Dims())[2:], c.kernel, c.begin)
			return onnxgraph.FromFloat64s(source.DType(), dims, w)
		}), nil
	}
	return drawn(source.DType(), dims, o.Bank, filterbank.Spec{Seed: o.Seed, Stream: c.row.Node,
		Filters: c.bankDims()[0], Shape: c.bankDims()[1:], Groups: c.bankGroups()}), nil
}

func (c *candidate) makePointwise(o Options, w, bank []float64) (*onnxgraph.Tensor, error) {
	dtype, dims := c.conv.filters.DType(), int64s(c.pointwiseDims()...)
	switch o.Pointwise {
	case Identity:
		return onnxgraph.NewLazyTensor(dtype, dims, func() (*onnxgraph.Tensor, error) {
			return onnxgraph.FromFloat64s(dtype, dims, c.identity())
		}), nil
	case Random:
		return drawn(dtype, dims, filterbank.Default, filterbank.Spec{Seed: o.Seed, Stream: c.row.Node + "/pointwise",
			Filters: c.pointwiseDims()[0], Shape: c.pointwiseDims()[1:], Groups: c.groups}), nil
	}
	p, err := c.project(w, bank)
	if err != nil {
		return nil, err
	}
	return onnxgraph.FromFloat64s(dtype, dims, p)
}

// drawn returns a bank as a tensor of the given type and dims.
func drawn(dtype onnxgraph.DType, dims []int64, bank string, spec filterbank.Spec) *onnxgraph.Tensor {
	return onnxgraph.NewLazyTensor(dtype, dims, func() (*onnxgraph.Tensor, error) {
		data, err := filterbank.Generate(bank, spec)
		if err != nil {
			return nil, err
		}
		if dtype == onnxgraph.Float32 {
			return onnxgraph.NewTensor(dims, data), nil
		}
		wide := make([]float64, len(data))
		for i, v := range data {
			wide[i] = float64(v)
		}
		return onnxgraph.FromFloat64s(dtype, dims, wide)
	})
}

// relativeError returns ‖want - got‖ / ‖want‖ (Frobenius norm), which is 0 for want = 0 = got and 1 for want = 0 ≠ got.
func relativeError(want, got []float64) float64 {
	var rest, all float64
	for i, v := range want {
		rest += (v - got[i]) * (v - got[i])
		all += v * v
	}
	if all == 0 {
		return math.Min(1, math.Ceil(rest))
	}
	return math.Sqrt(rest / all)
}
