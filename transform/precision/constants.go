package precision

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// convertConstants converts the graph's initializers, and the constants in its nodes.
func (c *converter) convertConstants(g *onnxgraph.Graph) {
	for _, v := range slices.Clone(g.Initializers()) {
		t, _ := denseOf(v)
		if t == nil || !c.changes(t.DType()) || c.kept[v] {
			continue
		}
		c.report.Constants++
		if v.Constant() != nil {
			v.SetConstant(c.tensor(t))
		} else {
			g.MakeConstant(v, c.tensor(t)) // a sparse one
		}
	}
	for _, n := range g.Nodes() {
		if n.Is("Constant") {
			c.convertConstant(n)
			continue
		}
		c.convertAttributes(n)
	}
}

// convertConstant converts the constant of a Constant node.
func (c *converter) convertConstant(n *onnxgraph.Node) {
	v := n.Output(0)
	if v == nil {
		return
	}
	if t, _ := denseOf(v); t != nil && c.changes(t.DType()) {
		c.report.Constants++
		n.RemoveAttr("value_float", "value_floats", "sparse_value")
		n.SetAttr(onnxgraph.TensorAttr("value", c.tensor(t)))
	}
}

// convertAttributes converts a node's attributes that are tensors or element types.
func (c *converter) convertAttributes(n *onnxgraph.Node) {
	for _, a := range n.Attributes() {
		if t := n.Tensor(a.Name()); t != nil && c.changes(t.DType()) {
			n.SetAttr(onnxgraph.TensorAttr(a.Name(), c.tensor(t)))
		}
	}
	if n.Domain() != "" || c.added[n] {
		return
	}
	for _, name := range dtypeAttributes {
		if dtype := onnxgraph.DType(n.Int(name, 0)); c.changes(dtype) {
			n.SetAttr(onnxgraph.Int(name, int64(c.to)))
		}
	}
	if name, ok := defaultFloat32[n.OpType()]; ok && !n.Has(name) && c.to != onnxgraph.Float32 {
		if name == "value" {
			zero, _ := onnxgraph.FromFloat64s(c.to, []int64{1}, []float64{0})
			n.SetAttr(onnxgraph.TensorAttr(name, zero))
		} else {
			n.SetAttr(onnxgraph.Int(name, int64(c.to)))
		}
	}
}

// defaultFloat32 lists operators that produce float32 if they do not have the given attribute.
var defaultFloat32 = map[string]string{
	"ConstantOfShape": "value", "RandomNormal": "dtype", "RandomUniform": "dtype", "SequenceEmpty": "dtype",
	"HannWindow": "output_datatype", "HammingWindow": "output_datatype", "BlackmanWindow": "output_datatype", "MelWeightMatrix": "output_datatype",
}

// tensor returns the tensor in the new type, with the old doc string and metadata. Its elements are computed only when the model
// is saved, so that the tensors of a large model need not fit into memory.
func (c *converter) tensor(t *onnxgraph.Tensor) *onnxgraph.Tensor {
	return onnxgraph.NewLazyTensor(c.to, t.Dims(), func() (*onnxgraph.Tensor, error) {
		data, err := t.Float64s()
		if err != nil {
			return nil, err
		}
		return onnxgraph.FromFloat64s(c.to, t.Dims(), data)
	}).DescribedAs(t)
}
