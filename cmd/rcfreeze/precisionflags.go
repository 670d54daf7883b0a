package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/spf13/pflag"
)

// precisionFlags say whether to change a model's floating-point type, and whether convert also makes blocks.
type precisionFlags struct {
	name   string
	blocks bool

	flags   *pflag.FlagSet // the command's
	onBlock *pflag.FlagSet // those of the command's flags that say which blocks to make
}

// add adds the flags. onBlock has the command's flags that are about blocks.
func (f *precisionFlags) add(flags, onBlock *pflag.FlagSet) {
	f.flags, f.onBlock = flags, onBlock
	flags.StringVar(&f.name, "precision", "", "convert the model to another floating-point type: "+strings.Join(slices.Sorted(maps.Keys(precision.Types)), ", ")+
		"; blocks are then made only if a flag about blocks is given, too")
	flags.BoolVar(&f.blocks, "blocks", true, "make frozen blocks (default true, but with --precision only if a flag about blocks, such as -E, is given; --blocks=false makes none)")
}

func (f *precisionFlags) check() error {
	if given := f.given(); f.flags.Changed("blocks") && !f.blocks && given != "" {
		return fmt.Errorf("--blocks=false and --%s: contradict each other: leave one of them out", given)
	}
	return nil
}

// given returns the name of a flag about blocks that the user gave, "" if there is none.
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
