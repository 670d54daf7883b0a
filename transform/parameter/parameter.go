package parameter

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Role is what a constant does in the network.
type Role string

// The roles. A constant that an elementwise operator (Mul, Add, Div, Sub) reads has a role only if it looks learned.
const (
	RoleWeight      Role = "weight"       // of Conv, ConvTranspose, Gemm, MatMul, Einsum, LSTM, GRU or RNN, or a slope of PRelu
	RoleBias        Role = "bias"         // of one of these, or what an Add or a Sub adds or subtracts
	RoleNormScale   Role = "norm-scale"   // of a Batch-, Instance-, Group- or LayerNormalization, or the factor of a Mul or a Div
	RoleNormShift   Role = "norm-shift"   // of one of these normalizations
	RoleRunningMean Role = "running-mean" // of a BatchNormalization: a statistic of the data, without a gradient
	RoleRunningVar  Role = "running-var"  // likewise, the variance
	RoleBank        Role = "bank"         // of a frozen block: trains in the variant Learned, or if Selection.Train names it
	RoleConstant    Role = "constant"     // every other constant: trains only if Selection.Train names it
)

// Trains reports whether parameters of that role train in the variants Baseline and Frozen. It is false for banks and for running
// statistics.
func (r Role) Trains() bool {
	return r == RoleWeight || r == RoleBias || r == RoleNormScale || r == RoleNormShift
}

// Parameter is a floating-point constant of a model with the role that its readers give it.
type Parameter struct {
	Value *onnxgraph.Value // an initializer, or the output of a Constant node
	Role  Role

	Reading onnxgraph.Use // the node, and the number of its input, that give the role; the zero value for RoleConstant
}

// readings gives, for each operator with parameters, the role of each of its inputs; "" means that the input is no parameter.
var readings = map[string][]Role{
	"Conv":                  {"", RoleWeight, RoleBias},
	"ConvTranspose":         {"", RoleWeight, RoleBias},
	"Gemm":                  {RoleWeight, RoleWeight, RoleBias},
	"MatMul":                {RoleWeight, RoleWeight},
	"LSTM":                  {"", RoleWeight, RoleWeight, RoleBias, "", "", "", RoleWeight},
	"GRU":                   {"", RoleWeight, RoleWeight, RoleBias},
	"RNN":                   {"", RoleWeight, RoleWeight, RoleBias},
	"PRelu":                 {"", RoleWeight},
	"BatchNormalization":    {"", RoleNormScale, RoleNormShift, RoleRunningMean, RoleRunningVar},
	"InstanceNormalization": {"", RoleNormScale, RoleNormShift},
	"GroupNormalization":    {"", RoleNormScale, RoleNormShift},
	"LayerNormalization":    {"", RoleNormScale, RoleNormShift},
	"Einsum":                {RoleWeight, RoleWeight},
	"Mul":                   {RoleNormScale, RoleNormScale}, // only if it looks learned: see looksLearned
	"Add":                   {RoleBias, RoleBias},           // likewise
	"Div":                   {"", RoleNormScale},            // likewise
	"Sub":                   {"", RoleBias},                 // likewise
}

// rank orders the roles. A constant that several nodes read in different roles gets the one that comes first here.
var rank = []Role{RoleBank, RoleWeight, RoleBias, RoleNormScale, RoleNormShift, RoleRunningMean, RoleRunningVar, RoleConstant}

// List returns every floating-point constant of the model with its role: graph by graph, first the initializers, then the
// outputs of Constant nodes. Sparse constants are not among them. If an operator reads a constant through nodes that compute from
// constants only, such as Identity, Transpose, or the nodes of a weight standardization, the constant has the role of what they
// compute. An error means that the model differs from its records of blocks.
func List(m *onnxgraph.Model) ([]Parameter, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, fmt.Errorf("listing the parameters: %w", err)
	}
	return parameters(m, blocks), nil
}

// parameters is List for a model with these blocks.
func parameters(m *onnxgraph.Model, blocks []transform.Block) []Parameter {
	f := find(m)
	for _, b := range blocks {
		f.note(b.Bank, RoleBank, onnxgraph.Use{Node: b.BankConv, Index: 1})
	}
	var list []Parameter
	for _, g := range m.Graphs() {
		for _, v := range weights.Constants(g) {
			if v.Constant() == nil || !v.DType().IsFloat() {
				continue
			}
			p, ok := f.found[v]
			if !ok {
				p = Parameter{Value: v, Role: RoleConstant}
			}
			list = append(list, p)
		}
	}
	return list
}

// isSpatialFilter reports whether the parameter is the weight of a convolution with a kernel larger than 1.
func (p Parameter) isSpatialFilter() bool {
	if p.Role != RoleWeight || !p.Reading.Node.Is("Conv") {
		return false
	}
	_, reason := weights.ReadConv(p.Reading.Node)
	return reason == ""
}
