package transform

import (
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Convert turns the selected spatial convolutions of the model, in bodies and functions too, into frozen blocks, records them in
// the model's metadata, and returns one row for each node that convolves, of any operator. If several things are wrong, the error
// lists them all. After an error the model is unchanged.
//
// The source's node becomes the 1×1 convolution: it keeps its name, its bias and its output. The bank's convolution, before it,
// has the source's strides, dilations and pads. All tensors have the type of the source's weight. Convolutions that share a
// weight in the source share the bank and the 1×1 weight.
func Convert(m *onnxgraph.Model, o Options) ([]Conversion, error) {
	o = o.WithDefaults()
	candidates, err := prepare(m, o)
	if err == nil {
		err = weights.CheckOpset(m)
	}
	if err == nil {
		err = o.checkMemory(firsts(candidates))
	}
	if err == nil {
		err = buildAll(candidates, o)
	}
	if err != nil {
		return nil, fmt.Errorf("converting to frozen blocks: %w", err)
	}
	list := rows(candidates, o) // costs before anything changes
	for _, c := range firsts(candidates) {
		c.apply(m, o)
	}
	return list, nil
}

// checkMemory returns an error if solving for the 1×1 weights of these blocks takes more than the allowed memory: all weights are
// kept in memory, and at least one bank at a time.
func (o Options) checkMemory(blocks []*candidate) error {
	if o.Memory <= 0 || o.MaxError > 0 || o.Pointwise == Random || o.Pointwise == Identity {
		return nil
	}
	var kept, most float64
	var largest string
	for _, c := range blocks {
		kept += float64(weights.Product(c.pointwiseDims())) * float64(c.conv.Filters.DType().Bits()) / 8
		if work := float64(c.workspace()); work > most {
			most, largest = work, c.row.Node
		}
	}
	if kept+most <= float64(o.Memory) {
		return nil
	}
	const gigabyte = 1e9
	return fmt.Errorf("the blocks need about %.3g GB of memory, %.3g GB of them to solve for that of convolution %q, and %.3g GB are free: "+
		"take a smaller expansion, or leave out the largest convolutions", (kept+most)/gigabyte, most/gigabyte, largest, float64(o.Memory)/gigabyte)
}

// buildAll makes the tensors of all blocks.
func buildAll(candidates []*candidate, o Options) error {
	if o.Pointwise == Calibrate && o.Calibration == nil {
		return errors.New("pointwise calibrate needs data, and there is none")
	}
	if o.Pointwise == Calibrate {
		return calibrateAll(candidates, o)
	}
	return eachConverted(candidates, o, func(c *candidate) error {
		err := c.build(o, nil)
		c.combined = nil // in a large model, they may not fit into memory
		return err
	})
}

// apply puts the block into the model, at each place that reads the weight.
func (c *candidate) apply(m *onnxgraph.Model, o Options) {
	owner := c.conv.Weight.Graph()
	bank := owner.AddConstant(c.row.Node+".bank", c.bank)
	pointwise := owner.AddConstant(c.row.Node+".pointwise", c.pointwise.DescribedAs(c.conv.Weight.Constant())) // what is learned
	record := Record{Bank: o.Bank, Layout: o.Layout, Expansion: c.expansion, Between: o.Between, Pointwise: o.Pointwise, Seed: o.Seed,
		BankTensor: bank.Name(), PointwiseTensor: pointwise.Name(), SourceWeight: c.conv.Weight.Name(), BankHash: c.bankHash}
	for _, f := range c.offsets {
		f.add()
	}
	var norm []*onnxgraph.Value // parameters of the normalization between
	if slices.Contains(betweenOperators[o.Between], "BatchNormalization") {
		norm = weights.NormParameters(owner, c.row.Node+".norm", c.bank.DType(), c.bankDims()[0])
	}
	for _, place := range c.places {
		record.BankOutput = place.insert(o, bank, pointwise, norm)
		record.save(m, place.row.Node)
	}
}

// insert turns the convolution into a block with these constants, and returns the name of the output of the bank's convolution.
func (c *candidate) insert(o Options, bank, pointwise *onnxgraph.Value, norm []*onnxgraph.Value) string {
	name, source := c.row.Node, c.conv.Node
	g := source.Graph()
	conv := c.bankConv(bank)
	added := []*onnxgraph.Node{conv}
	v := conv.Output(0)
	for _, operator := range betweenOperators[o.Between] {
		n := betweenNode[operator](g, v, norm)
		added = append(added, n)
		v = n.Output(0)
	}
	for _, n := range added {
		part := name + "/" + partNames[n.OpType()]
		n.Rename(part)
		g.Rename(n.Output(0), part+"_output") // if the name is taken, the name that the graph chose stays
		c.declare(n.Output(0))
	}
	g.Insert(source, added...)

	weight := source.Input(1)
	source.SetInput(0, v)
	source.SetInput(1, pointwise)
	source.RemoveAttr("auto_pad", "dilations", "pads", "strides", "group")
	source.SetAttr(onnxgraph.Ints("kernel_shape", pointwise.Constant().Dims()[2:]...), onnxgraph.Int("group", int64(c.groups)))
	onnxgraph.RemoveUnused(weight)
	return conv.Output(0).Name()
}

// declare declares the shape of a value inside the block: that of the block's output, if the model states it.
func (c *candidate) declare(v *onnxgraph.Value) {
	shape, ok := c.conv.Node.Output(0).Shape()
	if ok && len(shape) == 2+len(c.kernel) {
		shape[1] = onnxgraph.Dim{Size: int64(c.bankDims()[0])}
		v.SetType(c.first.bank.DType(), shape)
	}
}

// partNames has the names of a block's nodes, which follow the name of the block.
var partNames = map[string]string{"Conv": "bank", "BatchNormalization": "norm", "Relu": "relu"}

// bankConv adds the bank's convolution, which equals the source's except for the filters and the bias.
func (c *candidate) bankConv(bank *onnxgraph.Value) *onnxgraph.Node {
	source := c.conv.Node
	conv := source.Graph().AddNode("Conv", []*onnxgraph.Value{source.Input(0), bank}, c.window()...)
	conv.SetAttr(onnxgraph.Ints("kernel_shape", weights.Int64s(c.kernel...)...), onnxgraph.Int("group", int64(c.bankGroups())))
	return conv
}

// window returns the source's attributes, adapted to the new kernel.
func (c *candidate) window() []onnxgraph.Attribute {
	attrs := slices.Clone(c.conv.Node.Attributes())
	if c.begin == nil || c.conv.IsSame() {
		return attrs
	}
	attrs = slices.DeleteFunc(attrs, func(a onnxgraph.Attribute) bool { return a.Name() == "auto_pad" || a.Name() == "pads" })
	return append(attrs, onnxgraph.Ints("pads", c.conv.Pads...))
}

// betweenNode has functions that add the nodes between the convolutions, by operator.
var betweenNode = map[string]func(g *onnxgraph.Graph, v *onnxgraph.Value, norm []*onnxgraph.Value) *onnxgraph.Node{
	"Relu": func(g *onnxgraph.Graph, v *onnxgraph.Value, _ []*onnxgraph.Value) *onnxgraph.Node {
		return g.AddNode("Relu", []*onnxgraph.Value{v})
	},
	"BatchNormalization": weights.AddNorm,
}
