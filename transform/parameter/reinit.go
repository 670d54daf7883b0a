package parameter

import (
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// ReinitOptions says which parameters Reinit sets to new values. The zero value means all but banks, with the seed 0.
type ReinitOptions struct {
	Seed        uint64 // seed of the random numbers
	Banks       bool   // the banks of frozen blocks, too, each drawn as the kind of bank that its record names
	SpatialOnly bool   // of the other parameters, only the filters of plain convolutions with a kernel larger than 1
}

// Reinit gives the model, in place, the parameters that PyTorch's layers start with:
//
//	weights and biases        uniform in ±1/√fan_in (Kaiming uniform with a = √5), PRelu's slope 0.25
//	normalizations            scale 1, shift 0, running mean 0, running variance 1
//
// Weights and biases whose fan-in is not known become 0. Constants with RoleConstant stay. Numbers depend on the seed and the
// constant's name.
//
// A bank gets the numbers that Convert draws with that seed for a bank of its kind; a bank that was the source's own filters
// becomes one of filterbank.Default. Records of blocks are updated: a new bank changes their hash, seed and kind of bank, and a
// new 1×1 weight makes them untrained blocks with random 1×1 weights. Reinit returns the parameters that it gave new values. An
// error means that the model differs from its records, or that a bank cannot be computed; the model is then unchanged.
func Reinit(m *onnxgraph.Model, o ReinitOptions) ([]Parameter, error) {
	blocks, err := transform.Blocks(m)
	if err != nil {
		return nil, fmt.Errorf("drawing new parameters: %w", err)
	}
	all := slices.DeleteFunc(parameters(m, blocks), func(p Parameter) bool { return !o.covers(p) })
	tensors := map[*onnxgraph.Value]*onnxgraph.Tensor{} // made before any constant changes: a bias needs the weight's dims
	for _, p := range all {
		old := p.Value.Constant()
		draw := p.Initial(o.Seed)
		tensors[p.Value] = onnxgraph.NewLazyTensor(old.DType(), old.Dims(), func() (*onnxgraph.Tensor, error) {
			return onnxgraph.FromFloat64s(old.DType(), old.Dims(), draw(int(old.Len())))
		})
	}
	drawn := map[*onnxgraph.Value]bool{}
	for i := range blocks {
		b := &blocks[i]
		if bank := b.Bank; tensors[bank] != nil {
			again := b.Redraw(o.Seed)
			if !drawn[bank] { // blocks that share a bank get that of the first of them
				tensors[bank], drawn[bank] = again, true
			}
			if _, err := tensors[bank].SHA256(); err != nil { // now, because Rehash runs when the model has changed
				return nil, fmt.Errorf("drawing new parameters: block %q: %w", b.Name, err)
			}
		}
		if tensors[b.Pointwise] != nil {
			b.Record.Pointwise, b.Record.Trained = transform.Random, false
		}
	}
	for v, t := range tensors {
		v.SetConstant(t)
	}
	for i := range blocks {
		if err := blocks[i].Rehash(m); err != nil {
			return nil, fmt.Errorf("drawing new parameters: %w", err)
		}
	}
	return all, nil
}

// covers reports whether the parameter is to be drawn anew.
func (o ReinitOptions) covers(p Parameter) bool {
	switch {
	case p.Role == RoleConstant:
		return false
	case p.Role == RoleBank:
		return o.Banks
	case o.SpatialOnly:
		return p.isSpatialFilter()
	}
	return true
}

// Initial returns a function that returns the first count numbers of the parameter as a new layer has them: see Reinit for the
// values. Equal seeds, names and readings give equal numbers. A parameter with the role RoleBank is drawn as a weight is.
func (p Parameter) Initial(seed uint64) func(count int) []float64 {
	all := func(v float64) func(int) []float64 {
		return func(count int) []float64 { return slices.Repeat([]float64{v}, count) }
	}
	bound := 0.0
	switch p.Role {
	case RoleNormScale, RoleRunningVar:
		return all(1)
	case RoleWeight, RoleBank, RoleBias:
		if p.Reading.Node.Is("PRelu") {
			return all(0.25)
		}
		if fan := p.fanIn(); fan > 0 { // otherwise it is not known, and zeros are safe
			bound = 1 / math.Sqrt(float64(fan))
		}
	}
	random := filterbank.NewStream(seed, p.Value.Name())
	return func(count int) []float64 {
		data := make([]float64, count)
		for i := range data {
			data[i] = bound * (2*float64(random.Uniform(uint32(i))) - 1)
		}
		return data
	}
}

// fanIns returns, by operator, the fan-in of a layer: the number of inputs that one of its outputs sums up. dims are those of the
// layer's weight, which is the operator's input number index.
var fanIns = map[string]func(n *onnxgraph.Node, index int, dims []int) int{
	"Conv":          func(_ *onnxgraph.Node, _ int, dims []int) int { return weights.Product(dims[1:]) },
	"ConvTranspose": func(_ *onnxgraph.Node, _ int, dims []int) int { return weights.Product(dims[1:]) }, // as PyTorch counts
	"Gemm": func(n *onnxgraph.Node, index int, dims []int) int {
		axis := 1 - index
		if n.Int([]string{"transA", "transB"}[index], 0) != 0 {
			axis = index
		}
		return dims[axis]
	},
	"MatMul": func(_ *onnxgraph.Node, index int, dims []int) int { return dims[len(dims)-1-index] },
	"LSTM":   hiddenSize,
	"GRU":    hiddenSize,
	"RNN":    hiddenSize,
}

// hiddenSize is what PyTorch's recurrent layers take in the place of the fan-in.
func hiddenSize(n *onnxgraph.Node, _ int, _ []int) int { return int(n.Int("hidden_size", 0)) }

// fanIn returns the fan-in of the layer that reads the parameter, 0 if unknown.
func (p Parameter) fanIn() int {
	n, index := p.Reading.Node, min(p.Reading.Index, 1) // the bias goes by the weight, input 1
	if n.Is("Add") {                                    // the bias of a layer without one of its own
		other := n.Input(1 - index)
		if other == nil {
			return 0
		}
		n, index = other.Producer(), 1
	}
	if n == nil || fanIns[n.OpType()] == nil {
		return 0
	}
	dims := dimsOf(n.Input(index))
	if dims == nil && p.Role != RoleBias {
		dims = weights.Ints(p.Value.Constant().Dims())
	}
	if len(dims) < 2 {
		return 0
	}
	return fanIns[n.OpType()](n, index, dims)
}

// dimsOf returns the dims of a value, nil if they are not known.
func dimsOf(v *onnxgraph.Value) []int {
	if v == nil {
		return nil
	}
	if _, t, reason := weights.Resolve(v); reason == "" {
		return weights.Ints(t.Dims())
	}
	if shape, ok := v.StaticShape(); ok {
		return weights.Ints(shape)
	}
	if n := v.Producer(); n != nil && n.Is("Transpose") {
		dims := dimsOf(n.Input(0))
		moved := slices.Clone(dims)
		for i, axis := range n.Ints("perm") {
			if i < len(moved) && axis >= 0 && int(axis) < len(dims) {
				moved[i] = dims[axis]
			}
		}
		if !n.Has("perm") {
			slices.Reverse(moved)
		}
		return moved
	}
	return nil
}
