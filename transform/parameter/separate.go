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

// Separate changes a model, in place, so that every layer has parameters and statistics of its own where an exporter stored
// equal ones only once, such as the ones and zeros of untrained normalizations. It returns what it separated. If the exporter
// added Identity nodes with the old names, the copies get these names. Biases, normalization parameters and statistics that a
// layer reads through other nodes become constants that it reads directly.
//
// A layer that the network applies in several places stays one layer. These rules tell the two cases apart: Numbers that differ
// from each other are one parameter wherever they are read, because no two layers have the same by chance. Only constants with
// one number all over may have been merged, and then nodes count as one layer if they share all their parameters, and the layers
// before them, or else behind them, are one layer, too. The bank and the 1×1 weight of a frozen block are never separated.
func Separate(m *onnxgraph.Model) []Separated {
	f := find(m)
	t := newTies(f)
	if blocks, err := transform.Blocks(m); err == nil { // if it fails, later functions that need the blocks report it
		for _, b := range blocks {
			t.starts[b.Bank], t.starts[b.Pointwise] = false, false
		}
	}
	classes := make([][]class, len(f.order))
	for i, v := range f.order { // find all before anything changes
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
		t.giveOwn(v, classes[i][first], classes[i]) // comes last, and keeps the constant if nothing else still reads it
		if copies > 1 {
			done = append(done, Separated{name, copies})
		}
	}
	return done
}

// class holds readings of one constant that are the same input of the same layer, which may be applied by several nodes.
type class []reading

// isDirect reports whether one of the nodes reads the constant itself, not what other nodes compute from it.
func (c class) isDirect() bool { return slices.ContainsFunc(c, reading.isDirect) }

func (r reading) isDirect() bool { return r.at.Node == r.layer.node }

// classes groups the readings of a constant into classes.
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

// giveOwn gives one of the classes that read v a constant of its own, unless the class has one already or must share v. It
// reports whether it added a constant.
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

// isOnlyReadBy reports whether all uses of a constant are on the way to the nodes of a class.
func isOnlyReadBy(v *onnxgraph.Value, c class) bool {
	return !v.IsOutput() && !slices.ContainsFunc(v.Uses(), func(u onnxgraph.Use) bool {
		return !slices.ContainsFunc(c, func(r reading) bool { return r.at == u })
	})
}

// folded returns the tensor that the nodes of a class read: v after the nodes on the way, which rearrange it. That tensor can
// become the class's own constant. It returns nil for weights, and if the nodes of the class do not read the same dims.
func (c class) folded(v *onnxgraph.Value) *onnxgraph.Tensor {
	var seen *onnxgraph.Tensor
	for _, r := range c {
		_, t, reason := weights.Resolve(r.layer.node.Input(r.index))
		if reason != "" || r.role == RoleWeight || seen != nil && !slices.Equal(seen.Dims(), t.Dims()) {
			return nil
		}
		if v.Constant() != nil && t.DType() != v.DType() && r.role.Trains() {
			return nil // a parameter keeps the type that it has in the file
		}
		seen = t
	}
	return seen
}

// makeOwn makes a tensor the constant that the nodes of a class read, under the name of v or, if v is still used, under the name
// by which the class read it. It reports whether that constant is another one than v.
func (t ties) makeOwn(v *onnxgraph.Value, tensor *onnxgraph.Tensor, c class) bool {
	shared := len(c) > 1 && !t.isStart(v)
	if shared && !slices.Equal(tensor.Dims(), v.Constant().Dims()) {
		return false // the nodes on the way still bring it into the form that the layer needs
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
