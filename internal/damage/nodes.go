package damage

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// operators are those that rcfreeze's rules know, and some that it does not.
var operators = []string{"Conv", "BatchNormalization", "Relu", "Identity", "Constant", "Cast", "Transpose", "Reshape", "Squeeze",
	"Unsqueeze", "Flatten", "ConstantOfShape", "Gemm", "MatMul", "ConvTranspose", "Add", "Mul", "PRelu", "LSTM", "If", "Loop",
	"DequantizeLinear", "QLinearConv", "InstanceNormalization", "Shape", "Concat", "Nonsense", ""}

func (e *editor) deleteNode() {
	g := e.graph()
	if i := e.anywhere(len(g.Node)); i < len(g.Node) {
		g.Node = slices.Delete(g.Node, i, i+1)
	}
}

func (e *editor) repeatNode() {
	g := e.graph()
	n := proto.CloneOf(e.node())
	if e.IntN(2) == 0 {
		for i := range n.Output {
			n.Output[i] = e.newName() + "'"
		}
	}
	g.Node = slices.Insert(g.Node, e.anywhere(len(g.Node)), n)
}

func (e *editor) swapNodes() {
	if nodes := e.graph().Node; len(nodes) > 0 {
		i, j := e.IntN(len(nodes)), e.IntN(len(nodes))
		nodes[i], nodes[j] = nodes[j], nodes[i]
	}
}

func (e *editor) renameNode() { e.node().Name = proto.String(e.newName()) }

func (e *editor) callOther() {
	n := e.node()
	n.OpType = proto.String(pick(e, operators))
	if e.IntN(4) == 0 {
		n.Domain = proto.String(pick(e, []string{"", "ai.onnx", "com.microsoft", "x"}))
	}
}

// rewire makes a node read another value, perhaps its own output.
func (e *editor) rewire() {
	if n := e.node(); len(n.Input) > 0 {
		n.Input[e.IntN(len(n.Input))] = pick(e, e.names)
	}
}

func (e *editor) renameOutput() {
	if n := e.node(); len(n.Output) > 0 {
		n.Output[e.IntN(len(n.Output))] = e.newName()
	}
}

func (e *editor) addInput() {
	n := e.node()
	n.Input = append(n.Input, pick(e, e.names))
}

func (e *editor) dropInput() {
	if n := e.node(); len(n.Input) > 0 {
		n.Input = n.Input[:e.IntN(len(n.Input))]
	}
}

// attribute returns an attribute of a node that has some; one that is in no node if there is none.
func (e *editor) attribute() (*onnxpb.NodeProto, int) {
	with := slices.DeleteFunc(slices.Clone(e.nodes), func(n *onnxpb.NodeProto) bool { return len(n.Attribute) == 0 })
	n := pick(e, with)
	if n == nil {
		n = &onnxpb.NodeProto{Attribute: []*onnxpb.AttributeProto{{}}}
	}
	return n, e.IntN(len(n.Attribute))
}

func (e *editor) deleteAttribute() {
	n, i := e.attribute()
	n.Attribute = slices.Delete(n.Attribute, i, i+1)
}

func (e *editor) repeatAttribute() {
	n, i := e.attribute()
	n.Attribute = append(n.Attribute, proto.CloneOf(n.Attribute[i]))
}

func (e *editor) renameAttribute() {
	n, i := e.attribute()
	n.Attribute[i].Name = proto.String(pick(e, attributeNames))
}

var attributeNames = []string{"", "kernel_shape", "group", "strides", "dilations", "pads", "auto_pad", "perm", "axis", "axes", "to",
	"value", "value_ints", "sparse_value", "epsilon", "training_mode", "transB", "body", "then_branch", "hidden_size"}

// changeAttribute gives an attribute another value, of its own type or of another.
func (e *editor) changeAttribute() {
	n, i := e.attribute()
	a := n.Attribute[i]
	switch e.IntN(8) {
	case 0:
		a.Type = onnxpb.AttributeProto_AttributeType(e.IntN(20)).Enum()
	case 1:
		a.RefAttrName = proto.String(e.newName())
	case 2:
		a.T, a.F = nil, proto.Float32(float32(e.NormFloat64()))
	case 3:
		a.S = []byte(pick(e, []string{"", "VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET", "x"}))
	default:
		a.I = proto.Int64(e.number())
		a.Ints = e.numbers()
	}
}

func (e *editor) addAttribute() {
	n := e.node()
	n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: proto.String(pick(e, attributeNames)),
		Type: onnxpb.AttributeProto_INTS.Enum(), Ints: e.numbers(), I: proto.Int64(e.number())})
}
