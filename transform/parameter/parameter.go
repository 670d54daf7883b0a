package parameter

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Role is what a parameter does in the network.
type Role string

const (
	RoleWeight      Role = "weight"
	RoleBias        Role = "bias"
	RoleNormScale   Role = "norm-scale"
	RoleNormShift   Role = "norm-shift"
	RoleRunningMean Role = "running-mean" // a statistic of the data, without a gradient
	RoleRunningVar  Role = "running-var"  // likewise
	RoleBank        Role = "bank"         // of a frozen block: trains only if asked to
	RoleConstant    Role = "constant"     // never trains
)

// Trains reports whether a network's training changes parameters of that role by their gradient.
func (r Role) Trains() bool {
	return r == RoleWeight || r == RoleBias || r == RoleNormScale || r == RoleNormShift
}

// Parameter is a floating-point constant of a model with the role that its readers give it.
type Parameter struct {
	Value *onnxgraph.Value // an initializer, or what a Constant node puts out
	Role  Role

	Reading onnxgraph.Use // the input of an operator that gives the role
}

// readings says which inputs of which operators are parameters.
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
	"Mul":                   {RoleNormScale, RoleNormScale}, // if they look learned, see looksLearned
	"Add":                   {RoleBias, RoleBias},           // likewise
	"Div":                   {"", RoleNormScale},            // likewise
	"Sub":                   {"", RoleBias},                 // likewise
}

// rank orders the roles for a constant that several nodes read: the first counts.
var rank = []Role{RoleBank, RoleWeight, RoleBias, RoleNormScale, RoleNormShift, RoleRunningMean, RoleRunningVar, RoleConstant}

// List returns every floating-point constant of the model with its role, in the order of the graphs and their
// initializers, then of Constant nodes. A constant that reaches an operator through nodes which compute from constants
// only, such as Identity, Transpose, or those of a weight standardization, has the role of what they compute. An error
// means that the model differs from its records of blocks.
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
