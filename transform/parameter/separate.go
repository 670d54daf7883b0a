package parameter

import (
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Separated is a constant that several layers shared, and of which each layer now has its own copy.
type Separated struct {
	Name   string // of the constant in the file
	Copies int    // how many constants it is now
}

// Separate gives every layer parameters and statistics of its own where an exporter has merged equal ones, such as the ones and
// zeros of untrained normalizations, and returns what it separated. If the exporter added Identity nodes with the old names,
// the copies get these names. A layer that is used in several places stays one layer: see ties for how the two cases are
// distinguished. Biases, normalization parameters and statistics that come to a layer through nodes become constants of their
// own, too.
func Separate(m *onnxgraph.Model) []Separated {
	f := find(m)
	t := newTies(f)
	if blocks, err := transform.Blocks(m); err == nil { // else whoever needs the blocks says what is wrong
		for _, b := range blocks {
			t.starts[b.Bank], t.starts[b.Pointwise] = false, false
		}
	}
	classes := make([][]class, len(f.order))
	for i, v := range f.order { // all are found before anything changes
		classes[i] = t.classes(v)
	}
	var done []Separated
	for i, v := range f.order {
		name, copies := v.Name(), 1
		first := max(0, slices.IndexFunc(classes[i], class.isDirect))
		for j, c := range classes[i] {
			if j != first && t.giveOwn(v, c, classes[i]) {
				copies++
			}
		}
		t.giveOwn(v, classes[i][first], classes[i]) // last: it keeps the constant if nothing else is left that reads it
		if copies > 1 {
			done = append(done, Separated{name, copies})
		}
	}
	return done
}

// class has the readers of a constant that are one input of one layer.
type class []reading

// isDirect reports whether one of the readers has the constant itself for its input.
func (c class) isDirect() bool { return slices.ContainsFunc(c, reading.isDirect) }

func (r reading) isDirect() bool { return r.at.Node == r.layer.node }

// classes returns the classes of the readers of a constant.
func (t ties) classes(v *onnxgraph.Value) []class {
	readers := t.readers[v]
	if len(readers) > 1 && !t.isStart(v) {
		return []class{readers}
	}
	var list []class
	for _, r := range readers {
		i := slices.IndexFunc(list, func(c class) bool { return r.index == c[0].index && t.isOne(r.layer, c[0].layer) })
		if i < 0 {
			list = append(list, nil)
			i = len(list) - 1
		}
		list[i] = append(list[i], r)
	}
	return list
}

// giveOwn gives one of the classes of a constant one of its own, unless it has that or must share it, and reports whether it did.
func (t ties) giveOwn(v *onnxgraph.Value, c class, all []class) bool {
	if tensor := c.folded(v); tensor != nil {
		return t.makeOwn(v, tensor, c)
	}
	others := func(u onnxgraph.Use) bool {
		return slices.ContainsFunc(all, func(other class) bool {
			return other[0] != c[0] && slices.ContainsFunc(other, func(r reading) bool { return r.at == u })
		})
	}
	if len(all) == 1 || v.Constant() == nil || isOnlyReadBy(v, c) || slices.ContainsFunc(c, func(r reading) bool { return others(r.at) }) {
		return false
	}
	own := v.Graph().AddConstant(v.Name(), v.Constant())
	for _, r := range c {
		r.at.Node.SetInput(r.at.Index, own)
	}
	return true
}

// isOnlyReadBy reports whether nothing reads a constant but on the way to the readers of a class.
func isOnlyReadBy(v *onnxgraph.Value, c class) bool {
	return !v.IsOutput() && !slices.ContainsFunc(v.Uses(), func(u onnxgraph.Use) bool {
		return !slices.ContainsFunc(c, func(r reading) bool { return r.at == u })
	})
}

// folded returns what the readers of a class see of the constant v, for them to have as their constant; nil for weights, and
// where readers see it in several forms.
func (c class) folded(v *onnxgraph.Value) *onnxgraph.Tensor {
	var seen *onnxgraph.Tensor
	for _, r := range c {
		_, t, reason := weights.Resolve(r.layer.node.Input(r.index))
		if reason != "" || r.role == RoleWeight || seen != nil && !slices.Equal(seen.Dims(), t.Dims()) {
			return nil
		}
		if v.Constant() != nil && t.DType() != v.DType() && r.role.Trains() {
			return nil // it stays in the type that the file has
		}
		seen = t
	}
	return seen
}

// makeOwn makes a tensor the constant of a class, under its name, and reports whether that is another one than v.
func (t ties) makeOwn(v *onnxgraph.Value, tensor *onnxgraph.Tensor, c class) bool {
	shared := len(c) > 1 && !t.isStart(v)
	if shared && !slices.Equal(tensor.Dims(), v.Constant().Dims()) {
		return false // the nodes before the readers bring it into their form
	}
	if isOnlyReadBy(v, c) && !slices.ContainsFunc(c, func(r reading) bool { return !r.isDirect() }) && v.Constant() != nil {
		return false
	}
	g, name := v.Graph(), v.Name()
	alias := ""
	for _, r := range c {
		n := r.layer.node
		if old := n.Input(r.index); old != v {
			n.SetInput(r.index, nil)
			onnxgraph.RemoveUnused(old)
			if alias == "" {
				alias = old.Name()
			}
		}
	}
	own := v
	if !v.IsUsed() || !shared && !isOnlyReadBy(v, c) || v.Constant() == nil {
		if v.IsUsed() && alias != "" {
			name = alias
		}
		own = g.AddConstant(name, tensor)
	}
	for _, r := range c {
		r.layer.node.SetInput(r.index, own)
	}
	return own != v
}
