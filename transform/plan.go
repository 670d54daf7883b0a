package transform

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"unicode/utf8"

	"github.com/rcfreeze/rcfreeze/internal/budget"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Plan returns the rows that Convert would return, and changes nothing. It computes errors only if MaxError is set, because they
// then choose the expansions. It fails with MaxError and Calibrate together: those expansions are known only after a conversion.
func Plan(m *onnxgraph.Model, o Options) ([]Conversion, error) {
	o = o.WithDefaults()
	candidates, err := prepare(m, o)
	if err == nil && o.MaxError > 0 && o.Pointwise == Calibrate {
		err = errors.New("with --pointwise calibrate, --expansion auto needs images, which only a conversion reads: plan with --pointwise project, or convert the model")
	}
	if err == nil {
		err = eachConverted(candidates, o, func(c *candidate) error {
			if o.MaxError == 0 {
				return nil
			}
			err := c.build(o, nil)
			c.bank, c.pointwise, c.combined = nil, nil, nil
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("planning frozen blocks: %w", err)
	}
	return rows(candidates, o), nil
}

// candidate is a convolution that may become a block.
type candidate struct {
	row  Conversion
	conv weights.Convolution // in the form for the block: with the new kernel and pads
	shape
	begin []int // where the source's kernel begins in the new one, nil if the kernel stays

	isBank bool         // it is the bank of an existing block
	first  *candidate   // the first candidate that shares the block, often itself; nil if skipped
	places []*candidate // set for the first: all that share the block, in the order of the model's nodes

	// Set for the first by build:
	bank, pointwise *onnxgraph.Tensor
	bankHash        string
	combined        []float64 // the combined filters, unless P is drawn
	offsets         []offset  // to be added to outputs
}

// rows returns the finished rows. All rows of one block say the same about it, except that only the first has its cost.
func rows(candidates []*candidate, o Options) []Conversion {
	for _, c := range candidates {
		if c.first == nil {
			continue
		}
		c.expansion = c.first.expansion
		c.row.Status, c.row.Expansion = Converted, c.expansion
		built := c.first.row
		c.row.Error, c.row.OutputError, c.row.AboveBound, c.row.Condition = built.Error, built.OutputError, built.AboveBound, built.Condition
	}
	fillCosts(candidates, o)
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
	first := map[*onnxgraph.Value]string{} // the name of the first block with a bank or a 1×1 weight
	of := func(weight *onnxgraph.Value, block string) string {
		if other, ok := first[weight]; ok {
			return fmt.Sprintf("of frozen block %q, shared with %q", block, other)
		}
		first[weight] = block
		return fmt.Sprintf("of frozen block %q", block)
	}
	for _, b := range blocks {
		inBlock[b.BankConv] = "the bank " + of(b.Bank, b.Name)
		inBlock[b.PointwiseConv] = "the 1×1 convolution " + of(b.Pointwise, b.Name)
		isBank[b.BankConv] = true
		taken[b.Name] = true
	}
	var candidates []*candidate
	var names []string
	tooOld := weights.CheckOpset(m)
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			other := weights.OtherConvolution(n)
			if other == "" && !n.Is("Conv") {
				continue
			}
			c := &candidate{row: Conversion{Outcome: OutcomeOf(n), Operator: n.OpType()}}
			switch block := inBlock[n]; {
			case other != "":
				c.row.Skip(other)
			case block != "":
				c.conv, _ = weights.ReadConv(n)
				c.row.describe(c.conv)
				c.isBank = isBank[n]
				c.row.Skip("it is " + block)
			default:
				c.row.Node = blockName(n, taken)
				c.decide(n, o)
			}
			if c.row.Status == "" && tooOld != nil {
				c.row.Skip(tooOld.Error())
			}
			candidates, names = append(candidates, c), append(names, c.row.Node)
		}
	}
	shareBlocks(candidates)
	return candidates, o.unmatched(names)
}

// blockName returns the name of the block that n may become: n's own, made unique if several nodes have it.
func blockName(n *onnxgraph.Node, taken map[string]bool) string {
	base := n.Label()
	name := base
	for i := 2; taken[name]; i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	taken[name] = true
	return name
}

// decide reads the convolution and fills in its row. The row has no status yet, unless the convolution is skipped.
func (c *candidate) decide(n *onnxgraph.Node, o Options) {
	var reason string
	c.conv, reason = weights.ReadConv(n)
	c.row.describe(c.conv)
	if reason == "" && !(utf8.ValidString(c.row.Node) && utf8.ValidString(c.conv.Weight.Name())) {
		reason = fmt.Sprintf("its name or that of its weight, %q, is not UTF-8, so it cannot be recorded: rename it", c.conv.Weight.Name())
	}
	if reason == "" {
		reason = o.reasonAgainst(c.row.Node, c.conv)
	}
	if k := o.KernelSize; reason == "" && k > 0 && (slices.Min(c.conv.Kernel) != k || slices.Max(c.conv.Kernel) != k) {
		c.conv, c.begin, reason = c.conv.Resized(k)
		c.row.NewKernel = c.conv.Kernel
	}
	if reason == "" && o.Pointwise == Calibrate {
		reason = reasonAgainstCalibration(c.conv)
	}
	if reason != "" {
		c.row.Skip(reason)
		return
	}
	c.row.Note = c.conv.Note()
	c.shape = shape{o.Layout, o.Expansion, c.conv.Groups, c.conv.Out / c.conv.Groups, c.conv.In / c.conv.Groups, c.conv.Kernel}
	if reason := c.reasonAgainstSize(); reason != "" {
		c.row.Skip(reason)
		return
	}
	if o.MaxError > 0 {
		c.expansion = c.spanning()
	}
}

// firsts returns the first candidate of each block.
func firsts(candidates []*candidate) []*candidate {
	return slices.DeleteFunc(slices.Clone(candidates), func(c *candidate) bool { return c.first != c })
}

// eachConverted calls f for the first convolution of every block, on all cores.
func eachConverted(candidates []*candidate, o Options, f func(*candidate) error) error {
	converted := firsts(candidates)
	return budget.Each(len(converted), func(i int) int64 { return converted[i].workspace() }, o.counting(len(converted), func(i int) error {
		if err := f(converted[i]); err != nil {
			return fmt.Errorf("convolution %q: %w", converted[i].row.Node, err)
		}
		return nil
	}))
}

// counting returns a function that calls f, reports finished tasks to Progress, and stops if Progress fails.
func (o Options) counting(tasks int, f func(i int) error) func(i int) error {
	if o.Progress == nil {
		return f
	}
	var ended atomic.Bool
	var lock sync.Mutex
	done := 0
	return func(i int) error {
		if ended.Load() {
			return nil
		}
		if err := f(i); err != nil {
			return err
		}
		lock.Lock()
		defer lock.Unlock()
		if ended.Load() {
			return nil
		}
		done++
		err := o.Progress(done, tasks)
		ended.Store(err != nil)
		return err
	}
}
