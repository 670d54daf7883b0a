package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/spf13/pflag"
)

// headFlags say whether a model gets a new last layer.
type headFlags struct {
	classes int
	before  string // the node that leads to the new last layer, by a name for --train-from
}

func (f *headFlags) add(flags *pflag.FlagSet) {
	flags.IntVar(&f.classes, "num-classes", 0, "replace the last layer with a new, random one for this many classes (0: keep the one that is there)")
}

func (f *headFlags) check() error {
	if f.classes < 0 || f.classes == 1 {
		return fmt.Errorf("--num-classes %d: needs 2 or more, or 0 to keep the last layer", f.classes)
	}
	return nil
}

// apply replaces the last layer if the user asks for it, and tells.
func (f *headFlags) apply(p *printer, m *onnxgraph.Model, seed uint64) error {
	if f.classes == 0 {
		return nil
	}
	head, err := transform.ReplaceHead(m, f.classes, seed)
	if err != nil {
		return err
	}
	f.before = nodeBefore(m, head.Node)
	m.RemoveMetadata(classesKey)
	p.say("%s: new last layer %s for %d classes, was for %d", m.Path(), head.Node, f.classes, head.Classes)
	return nil
}
