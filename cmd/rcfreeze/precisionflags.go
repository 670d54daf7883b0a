package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/spf13/pflag"
)

// precisionFlags say whether a model gets another floating-point type, and whether convert then makes blocks, too.
type precisionFlags struct {
	name   string
	blocks bool

	flags   *pflag.FlagSet // the command's
	onBlock *pflag.FlagSet // those of them that say which blocks to make
}

// add adds the flags. Those of onBlock are about blocks, and the command has them, too.
func (f *precisionFlags) add(flags, onBlock *pflag.FlagSet) {
	f.flags, f.onBlock = flags, onBlock
	flags.StringVar(&f.name, "precision", "", "convert the model to another floating-point type: "+strings.Join(f.names(), ", ")+
		"; blocks are then made only if a flag about blocks is given, too")
	flags.BoolVar(&f.blocks, "blocks", true, "make frozen blocks (default true; false with --precision, unless a flag about blocks is given)")
}

func (f *precisionFlags) names() []string { return slices.Sorted(maps.Keys(precision.Types)) }

func (f *precisionFlags) check() error {
	if _, known := precision.Types[f.name]; f.name != "" && !known {
		return fmt.Errorf("--precision %q: choose one of %s", f.name, strings.Join(f.names(), ", "))
	}
	if given := f.given(); f.flags.Changed("blocks") && !f.blocks && given != "" {
		return fmt.Errorf("--blocks=false and --%s: the one asks for no frozen blocks, the other says which", given)
	}
	return nil
}

// given returns the name of a flag on blocks that was given, "" if there is none.
func (f *precisionFlags) given() string {
	name := ""
	f.onBlock.VisitAll(func(flag *pflag.Flag) {
		if flag.Changed {
			name = flag.Name
		}
	})
	return name
}

// makesBlocks reports whether the command makes blocks.
func (f *precisionFlags) makesBlocks() bool {
	if f.flags.Changed("blocks") {
		return f.blocks
	}
	return f.name == "" || f.given() != ""
}

// apply gives the model the type that was asked for, if any, and tells.
func (f *precisionFlags) apply(p *printer, m *onnxgraph.Model) (*precision.Report, error) {
	if f.name == "" {
		return nil, nil
	}
	dtype := precision.Types[f.name]
	r, err := precision.Convert(m, dtype)
	if err != nil {
		return nil, err
	}
	if !r.Changed() {
		p.say("%s has no floating-point numbers but %v: --precision %s changes nothing", m.Path(), dtype, f.name)
		return r, nil
	}
	text := fmt.Sprintf("%d constants are %v now", r.Constants, dtype)
	if r.Casts > 0 {
		text += fmt.Sprintf(", %d Casts that did nothing else are gone", r.Casts)
	}
	for _, list := range []struct {
		verb  string
		names []string
	}{{"takes", r.Inputs}, {"gives", r.Outputs}} {
		for _, name := range list.names {
			text += fmt.Sprintf("; %q %s %v", name, list.verb, dtype)
		}
	}
	p.say("%s: %s", m.Path(), text)
	return r, nil
}
