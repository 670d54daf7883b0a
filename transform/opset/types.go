package opset

import (
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// valueType is what is known of a value.
type valueType struct {
	dtype onnxgraph.DType // Undefined if not known
	rank  int             // -1 if not known
}

// types holds the known types of a model's values. Rewrites do not change it.
type types map[*onnxgraph.Value]valueType

func (t types) of(v *onnxgraph.Value) valueType {
	if known, ok := t[v]; ok {
		return known
	}
	if v == nil {
		return valueType{rank: -1}
	}
	return declared(v)
}

// DTypes returns the element types of the values of all graphs. It infers types that are not declared from those that are, for
// the operators that CNNs use. Values with unknown types are absent.
func DTypes(m *onnxgraph.Model) map[*onnxgraph.Value]onnxgraph.DType {
	t := types{}
	t.follow(m.Graph)
	for _, f := range m.Functions {
		t.follow(f.Body)
	}
	list := map[*onnxgraph.Value]onnxgraph.DType{}
	for v, known := range t {
		if known.dtype != onnxgraph.Undefined {
			list[v] = known.dtype
		}
	}
	return list
}

// inferTypes infers types from declared ones, because old files often declare only graph inputs and outputs. It knows the ONNX
// operators that CNNs use near operators whose rewrites need a type.
func inferTypes(g *onnxgraph.Graph) types {
	t := types{}
	t.follow(g)
	return t
}

func (t types) follow(g *onnxgraph.Graph) {
	nodes := g.Sorted()
	for _, n := range nodes {
		for _, v := range n.Outputs() {
			if v != nil {
				t[v] = t.infer(n, v)
			}
		}
	}
	for _, n := range nodes {
		for _, a := range n.Attributes() {
			for _, body := range a.Graphs() {
				t.follow(body)
			}
		}
	}
}

func declared(v *onnxgraph.Value) valueType {
	known := valueType{v.DType(), -1}
	if shape, ok := v.Shape(); ok {
		known.rank = len(shape)
	}
	return known
}

// sameType lists operators whose outputs have the element type and the rank of input 0. keepsDType lists those whose outputs have
// only its element type.
var (
	sameType = set(`Abs AveragePool BatchNormalization Ceil Clip Concat Conv ConvTranspose DepthToSpace Dropout Elu
		Erf Exp Floor GlobalAveragePool GlobalLpPool GlobalMaxPool HardSigmoid HardSwish Hardmax Identity
		InstanceNormalization LRN LeakyRelu Log LogSoftmax LpNormalization LpPool MaxPool Neg PRelu Pad Reciprocal
		Relu Resize Round Selu Sigmoid Slice Softmax Softplus Softsign SpaceToDepth Split Sqrt Tanh ThresholdedRelu
		Transpose Upsample`)
	keepsDType = set(`Add Div Expand Flatten Gather Gemm MatMul Max Mean Min Mul Pow ReduceL1 ReduceL2 ReduceMax
		ReduceMean ReduceMin ReduceProd ReduceSum ReduceSumSquare Reshape Squeeze Sub Sum Tile TopK Unsqueeze`)
)

func set(names string) map[string]bool {
	s := map[string]bool{}
	for _, name := range strings.Fields(names) {
		s[name] = true
	}
	return s
}

// infer returns the type of v, an output of n, from its declaration or else from n's inputs.
func (t types) infer(n *onnxgraph.Node, v *onnxgraph.Value) valueType {
	known := declared(v)
	op := n.OpType()
	if n.Domain() != "" || v != n.Output(0) && op != "Split" {
		return known
	}
	first := t.of(n.Input(0))
	if known.dtype == onnxgraph.Undefined {
		switch {
		case sameType[op] || keepsDType[op]:
			known.dtype = first.dtype
		case op == "Cast":
			known.dtype = max(onnxgraph.DType(n.Int("to", 0)), castTypes[n.Str("to", "")])
		}
	}
	if known.rank < 0 {
		known.rank = t.rank(n, first.rank)
	}
	return known
}

// rank returns the rank of output 0 of n, -1 if not known; first is that of input 0.
func (t types) rank(n *onnxgraph.Node, first int) int {
	switch op := n.OpType(); op {
	case "Flatten", "Gemm":
		return 2
	case "Add", "Div", "Max", "Mean", "Min", "Mul", "Pow", "Sub", "Sum":
		return t.largestRank(n)
	case "Reshape":
		if shape := n.Input(1); shape != nil && shape.Constant() != nil {
			return int(shape.Constant().Len())
		}
		if n.Has("shape") {
			return len(n.Ints("shape"))
		}
	case "Cast":
		return first
	default:
		if sameType[op] {
			return first
		}
	}
	return -1
}

func (t types) largestRank(n *onnxgraph.Node) int {
	largest := 0
	for _, v := range n.Inputs() {
		rank := t.of(v).rank
		if rank < 0 {
			return -1
		}
		largest = max(largest, rank)
	}
	return largest
}
