package transform

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/budget"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Block is a frozen block in a model: x → BankConv → Between → PointwiseConv → y. If several convolutions of the source share a
// weight, there is a block for each of them, with the same Bank and Pointwise.
type Block struct {
	Name   string // that of the source's node or, if it had none, of its output; with a number appended if several have the same
	Record Record // a copy of what the model's metadata says; Rehash and RecordTraining write it back

	Bank      *onnxgraph.Value // the constant R that holds the bank: filters × channels that one filter reads × kernel
	Pointwise *onnxgraph.Value // the constant P that holds the 1×1 convolution's weight: outputs × bank filters per group × 1…

	BankConv      *onnxgraph.Node   // has no bias, and the strides, dilations and pads of the source
	Between       []*onnxgraph.Node // in order; empty for None
	PointwiseConv *onnxgraph.Node   // has the name, the bias and the output of the source's convolution

	shape shape
}

// RecordTraining records that the block was trained, and the hash of its bank as it is now. Otherwise Blocks would report a
// changed bank as damage.
func (b *Block) RecordTraining(m *onnxgraph.Model) error {
	b.Record.Trained = true
	return b.Rehash(m)
}

// HasDrawn reports whether a block of the model has a 1×1 convolution with random weights that was not trained yet.
func HasDrawn(m *onnxgraph.Model) (bool, error) {
	blocks, err := Blocks(m)
	return slices.ContainsFunc(blocks, func(b Block) bool { return b.Record.Pointwise == Random && !b.Record.Trained }), err
}

// Rehash records the hash of the current bank, and with it all of b.Record, in the model's metadata. Call it after you change a
// bank on purpose: otherwise Blocks reports the bank as damaged.
func (b *Block) Rehash(m *onnxgraph.Model) error {
	sum, err := weights.Hash(b.Bank.Constant())
	if err != nil {
		return fmt.Errorf("recording the bank of block %q: %w", b.Name, err)
	}
	b.Record.BankHash = sum
	b.Record.save(m, b.Name)
	return nil
}

// Blocks returns the model's frozen blocks in the order of their records. The error lists all differences between the model and
// the records.
func Blocks(m *onnxgraph.Model) ([]Block, error) {
	var blocks []Block
	var faults []error // for each block, nil if it has none
	owner := map[*onnxgraph.Node]string{}
	constants := constantsByName(m)
	for _, key := range m.MetadataKeys() {
		name, ok := strings.CutPrefix(key, blockPrefix)
		if !ok {
			continue
		}
		b, err := findBlock(constants, name, m.Metadata(key))
		for _, n := range b.nodes() {
			if other, taken := owner[n]; taken {
				err = fmt.Errorf("%s is part of block %q already", n, other)
			}
			owner[n] = name
		}
		blocks, faults = append(blocks, b), append(faults, err)
	}
	checkHashes(blocks, faults)
	if version := m.Metadata(versionKey); len(blocks) > 0 && version != recordVersion {
		faults = []error{fmt.Errorf("the records have version %q, this program reads %q: use the release that wrote the file", version, recordVersion)}
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("reading the frozen blocks of the model %s: it differs from its own records, so another tool has changed it; use the file as rcfreeze wrote it, or convert the source model again: %w",
			m.Path(), err)
	}
	return blocks, nil
}

// checkHashes checks the banks of blocks without a fault, on all cores, and adds the name of the block to each fault.
func checkHashes(blocks []Block, faults []error) {
	noMemory := func(int) int64 { return 0 } // hardly any memory
	budget.Each(len(blocks), noMemory, func(i int) error {
		if faults[i] == nil {
			faults[i] = blocks[i].checkHash()
		}
		if faults[i] != nil {
			faults[i] = fmt.Errorf("block %q: %w", blocks[i].Name, faults[i])
		}
		return nil
	})
}

// findBlock finds the constants that a record names.
func findBlock(constants map[string]*onnxgraph.Value, name, text string) (Block, error) {
	b := Block{Name: name}
	if err := json.Unmarshal([]byte(text), &b.Record); err != nil {
		return b, fmt.Errorf("its record is no record: %w", err)
	}
	b.Bank, b.Pointwise = constants[b.Record.BankTensor], constants[b.Record.PointwiseTensor]
	var missing []error
	if b.Bank == nil {
		missing = append(missing, fmt.Errorf("there is no constant %q, its bank", b.Record.BankTensor))
	}
	if b.Pointwise == nil {
		missing = append(missing, fmt.Errorf("there is no constant %q, its pointwise weight", b.Record.PointwiseTensor))
	}
	if len(missing) > 0 {
		return b, errors.Join(missing...)
	}
	if err := b.findNodes(); err != nil {
		return b, err
	}
	return b, b.findShape()
}

// constantsByName returns the constants of all graphs. If several have the same name, the one in the first graph counts.
func constantsByName(m *onnxgraph.Model) map[string]*onnxgraph.Value {
	byName := map[string]*onnxgraph.Value{}
	for _, g := range slices.Backward(m.Graphs()) {
		for _, v := range weights.Constants(g) {
			if v.Constant() != nil {
				byName[v.Name()] = v
			}
		}
	}
	return byName
}

// findNodes finds the nodes from the bank to the 1×1 convolution.
func (b *Block) findNodes() error {
	operators, ok := betweenOperators[b.Record.Between]
	if !ok {
		return fmt.Errorf("its record has %q between the convolutions, which this program does not know", b.Record.Between)
	}
	b.BankConv = reader(b.Bank, 1, "Conv", b.Record.BankOutput)
	if b.BankConv == nil {
		return fmt.Errorf("no Conv has %q as its weight", b.Bank.Name())
	}
	v := b.BankConv.Output(0)
	if v.Name() != b.Record.BankOutput || b.BankConv.Input(2) != nil {
		return fmt.Errorf("%s produces %q and has the bias %v, but the record says %q and none", b.BankConv, v.Name(), b.BankConv.Input(2) != nil, b.Record.BankOutput)
	}
	for _, operator := range operators {
		n := reader(v, 0, operator, "")
		if n == nil {
			return fmt.Errorf("no %s reads %q", operator, v.Name())
		}
		b.Between = append(b.Between, n)
		v = n.Output(0)
	}
	b.PointwiseConv = reader(v, 0, "Conv", "")
	if b.PointwiseConv == nil || b.PointwiseConv.Input(1) != b.Pointwise {
		return fmt.Errorf("no Conv reads %q and has %q as its weight", v.Name(), b.Pointwise.Name())
	}
	for _, n := range b.nodes() {
		if n.HasBody() {
			return fmt.Errorf("%s holds a graph", n)
		}
	}
	return nil
}

// nodes returns the nodes of the block that were found.
func (b *Block) nodes() []*onnxgraph.Node {
	all := append([]*onnxgraph.Node{b.BankConv, b.PointwiseConv}, b.Between...)
	return slices.DeleteFunc(all, func(n *onnxgraph.Node) bool { return n == nil })
}

// reader returns the node that calls the operator and reads v as the given input, nil if there is none. If there are several, it
// is the one with the named output, or the first.
func reader(v *onnxgraph.Value, input int, operator, output string) *onnxgraph.Node {
	var found *onnxgraph.Node
	for _, u := range v.Uses() {
		if u.Index != input || !u.Node.Is(operator) || u.Node.Output(0) == nil {
			continue
		}
		if u.Node.Output(0).Name() == output {
			return u.Node
		}
		if found == nil {
			found = u.Node
		}
	}
	return found
}

// findShape checks the tensors' types, and their dims against each other and the record.
func (b *Block) findShape() error {
	for _, v := range []*onnxgraph.Value{b.Bank, b.Pointwise} {
		if dtype := v.Constant().DType(); !dtype.IsFloat() {
			return fmt.Errorf("the constant %q is of type %v, not floating-point", v.Name(), dtype)
		}
	}
	bank, pointwise := weights.Ints(b.Bank.Constant().Dims()), weights.Ints(b.Pointwise.Constant().Dims())
	fault := fmt.Errorf("a bank of dims %v in %d groups and a pointwise weight of dims %v in %d groups make no block of layout %q and expansion %d",
		bank, b.BankConv.Int("group", 1), pointwise, b.PointwiseConv.Int("group", 1), b.Record.Layout, b.Record.Expansion)
	s := shape{layout: b.Record.Layout, expansion: b.Record.Expansion, groups: int(b.PointwiseConv.Int("group", 1))}
	known := s.layout == Dense || s.layout == Depthwise
	if !known || len(bank) < 3 || len(pointwise) != len(bank) || s.groups < 1 || s.expansion < 1 {
		return fault
	}
	s.out, s.in, s.kernel = pointwise[0]/s.groups, bank[1], bank[2:]
	if s.layout == Depthwise {
		s.in = bank[0] / s.groups / s.expansion
	}
	if !slices.Equal(bank, s.bankDims()) || !slices.Equal(pointwise, s.pointwiseDims()) || int(b.BankConv.Int("group", 1)) != s.bankGroups() {
		return fault
	}
	b.shape = s
	return nil
}

func (b *Block) checkHash() error {
	sum, err := weights.Hash(b.Bank.Constant())
	if err != nil {
		return fmt.Errorf("its bank %q: %w", b.Bank.Name(), err)
	}
	if sum != b.Record.BankHash {
		return fmt.Errorf("its bank %q is not the one that was recorded: the SHA-256 is %s, not %s", b.Bank.Name(), sum, b.Record.BankHash)
	}
	return nil
}
