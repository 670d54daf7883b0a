package precision

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// ports are inputs and outputs of an operator.
type ports struct {
	inputs, outputs []int
	until           int64 // the first opset in which they may have other types, 0 for none
}

// float32Only lists the inputs and outputs of ONNX's own operators that can only be float32.
var float32Only = map[string]ports{
	"Celu":                  {inputs: []int{0}, outputs: []int{0}},
	"IsInf":                 {inputs: []int{0}, until: 20},
	"Range":                 {inputs: []int{0, 1, 2}, outputs: []int{0}}, // unless they are integers
	"Upsample":              {inputs: []int{1}},
	"NonMaxSuppression":     {inputs: []int{0, 1, 3, 4}},
	"DynamicQuantizeLinear": {inputs: []int{0}, outputs: []int{1}},
	"QuantizeLinear":        {inputs: []int{0, 1}, until: 19},
	"DequantizeLinear":      {inputs: []int{1}, outputs: []int{0}, until: 19},
	"QLinearConv":           {inputs: []int{1, 4, 6}},
	"QLinearMatMul":         {inputs: []int{1, 4, 6}, until: 21},
	"LayerNormalization":    {outputs: []int{1, 2}},
	"TfIdfVectorizer":       {outputs: []int{0}},
}

// portsOf returns the inputs and outputs of the node that can only be float32.
func portsOf(n *onnxgraph.Node) ports {
	version := n.Graph().Model().Opset("")
	p := float32Only[n.OpType()]
	if n.OpType() == "Resize" { // the scales
		p.inputs = []int{2}
		if version < 11 {
			p.inputs = []int{1}
		}
	}
	if n.Domain() != "" || p.until > 0 && version >= p.until {
		return ports{}
	}
	return p
}

// keepFloat32 adds Casts at inputs and outputs that can only be float32, if that is not the new type.
func (c *converter) keepFloat32(n *onnxgraph.Node) {
	if c.to == onnxgraph.Float32 || n.Is("Range") && !c.mayChange(n.Input(0)) {
		return
	}
	p := portsOf(n)
	for _, i := range p.inputs {
		v := n.Input(i)
		if v == nil {
			continue
		}
		if t := v.Constant(); t != nil {
			kept := n.Graph().AddConstant(v.Name(), t)
			n.SetInput(i, kept)
			c.kept[kept] = true
			onnxgraph.RemoveUnused(v)
			continue
		}
		n.SetInput(i, c.addCast(n.Graph(), v, onnxgraph.Float32).Output(0))
	}
	for _, i := range p.outputs {
		v := n.Output(i)
		if v == nil {
			continue
		}
		cast := c.addCast(n.Graph(), v, c.to)
		n.SwapOutput(i, cast, 0) // readers still read the same value
		cast.SetInput(0, n.Output(i))
	}
}

// addCast adds a Cast that the conversion leaves as it is.
func (c *converter) addCast(g *onnxgraph.Graph, v *onnxgraph.Value, to onnxgraph.DType) *onnxgraph.Node {
	cast := g.AddNode("Cast", []*onnxgraph.Value{v}, onnxgraph.Int("to", int64(to)))
	c.added[cast] = true
	return cast
}

// mayChange reports whether a value has, or may have, a floating-point type.
func (c *converter) mayChange(v *onnxgraph.Value) bool {
	dtype := onnxgraph.Undefined
	if v != nil {
		dtype = c.dtypeOf(v)
	}
	return dtype == onnxgraph.Undefined || dtype.IsFloat()
}

// dropCast removes a Cast between two types that are now the same.
func (c *converter) dropCast(n *onnxgraph.Node) {
	x, y := n.Input(0), n.Output(0)
	if !n.Is("Cast") || c.added[n] || x == nil || y == nil || onnxgraph.DType(n.Int("to", 0)) != c.to || !c.dtypeOf(x).IsFloat() {
		return
	}
	c.report.Casts++
	if !y.IsOutput() {
		onnxgraph.ReplaceUses(y, x)
		n.Graph().Remove(n)
		onnxgraph.RemoveUnused(x)
		return
	}
	producer := x.Producer()
	if producer == nil || x.IsOutput() || producer.Graph() != n.Graph() {
		n.SetOpType("Identity")
		n.RemoveAttr("to", "saturate")
		return
	}
	onnxgraph.ReplaceUses(x, y)
	producer.SwapOutput(slices.Index(producer.Outputs(), x), n, 0) // the output keeps its name
	n.Graph().Remove(n)
}
