package compare

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// Blocks is the kind of a cell's frozen blocks: one value from each axis of the plan. It is zero for variants without blocks.
type Blocks struct {
	Expansion  int                 `json:"expansion"` // 0 without blocks
	KernelSize int                 `json:"kernel_size,omitempty"`
	Between    transform.Between   `json:"between,omitempty"`
	Layout     transform.Layout    `json:"layout,omitempty"`
	Bank       string              `json:"bank,omitempty"`
	Pointwise  transform.Pointwise `json:"pointwise,omitempty"`
}

// options returns the options of a conversion to these blocks, and to what o says besides.
func (b Blocks) options(o transform.Options, seed uint64) transform.Options {
	o.Expansion, o.KernelSize, o.Between, o.Layout, o.Bank, o.Pointwise, o.Seed = b.Expansion, b.KernelSize, b.Between, b.Layout, b.Bank, b.Pointwise, seed
	return o
}

// shared returns options without what differs between cells.
func shared(o transform.Options) transform.Options { return Blocks{}.options(o, 0) }

// Cell identifies one training run of a comparison.
type Cell struct {
	Variant parameter.Variant `json:"variant"`
	Blocks
	Seed uint64 `json:"seed"`
}

// String names a cell, without what its blocks have by default, such as "frozen-x8-relu-seed1".
func (c Cell) String() string {
	name := string(c.Variant)
	if c.Expansion != 0 {
		name += fmt.Sprintf("-x%d", c.Expansion)
	}
	if c.KernelSize != 0 {
		name += fmt.Sprintf("-kernel%d", c.KernelSize)
	}
	usual := transform.Options{Pointwise: c.Pointwise}.WithDefaults()
	for _, part := range []string{unless(c.Between, usual.Between), unless(c.Layout, usual.Layout), unless(c.Bank, usual.Bank), unless(c.Pointwise, transform.Project)} {
		if part != "" {
			name += "-" + part
		}
	}
	return fmt.Sprintf("%s-seed%d", name, c.Seed)
}

// unless returns a value as text, "" if it is the usual one.
func unless[T ~string](v, usual T) string {
	if v == usual {
		return ""
	}
	return string(v)
}

// folder returns the name of a cell's folder in an experiment. It ends with a hash of everything that determines the result.
func (e experiment) folder(c Cell) string {
	text, err := json.Marshal(struct {
		Experiment experiment
		Cell       Cell
	}{e, c})
	if err != nil {
		panic("compare: " + err.Error()) // both hold only text, numbers and lists of them
	}
	return fmt.Sprintf("%s-%x", c, sha256.Sum256(text))[:len(c.String())+9]
}

// cells returns the cells of the plan, each once, in the order of its axes: variant, pointwise, bank, layout, between, kernel
// size, expansion, seed.
func (p *Plan) cells() []Cell {
	var list []Cell
	for _, v := range p.Variants {
		blocks := []Blocks{{}}
		if v.HasBlocks() {
			blocks = p.Axes.blocks(p.Convert)
		}
		for _, b := range blocks {
			for _, s := range p.Seeds {
				if c := (Cell{v, b, s}); !slices.Contains(list, c) {
					list = append(list, c)
				}
			}
		}
	}
	return list
}

// Axes lists, for each property of frozen blocks, the values to compare. Every combination of values is one kind of blocks. An
// axis without values has a single one, that of the same field of the plan's Convert. The fields mean the same as in
// transform.Options.
type Axes struct {
	Expansions  []int
	KernelSizes []int
	Betweens    []transform.Between
	Layouts     []transform.Layout
	Banks       []string
	Pointwises  []transform.Pointwise
}

// Validate returns an error that lists what is wrong with combinations of the values, each fault once. The values of axes without
// values come from o.
func (a Axes) Validate(o transform.Options) error {
	var faults []error
	told := map[string]bool{}
	for _, b := range a.blocks(o) {
		if err := b.options(o, 0).Validate(); err != nil && !told[err.Error()] {
			told[err.Error()] = true
			faults = append(faults, err)
		}
	}
	return errors.Join(faults...)
}

// blocks returns all combinations of the values. What the axes leave open is as in o.
func (a Axes) blocks(o transform.Options) []Blocks {
	list := []Blocks{{}}
	vary(&list, or(a.Pointwises, o.Pointwise), func(b *Blocks, v transform.Pointwise) { b.Pointwise = v })
	vary(&list, or(a.Banks, o.Bank), func(b *Blocks, v string) { b.Bank = v })
	vary(&list, or(a.Layouts, o.Layout), func(b *Blocks, v transform.Layout) { b.Layout = v })
	vary(&list, or(a.Betweens, o.Between), func(b *Blocks, v transform.Between) { b.Between = v })
	vary(&list, or(a.KernelSizes, o.KernelSize), func(b *Blocks, v int) { b.KernelSize = v })
	vary(&list, or(a.Expansions, max(1, o.Expansion)), func(b *Blocks, v int) { b.Expansion = v })
	for i, b := range list {
		o := b.options(transform.Options{}, 0).WithDefaults()
		list[i] = Blocks{b.Expansion, o.KernelSize, o.Between, o.Layout, o.Bank, o.Pointwise}
	}
	return list
}

// vary replaces each block of a list by one for each value.
func vary[T any](list *[]Blocks, values []T, set func(*Blocks, T)) {
	var all []Blocks
	for _, b := range *list {
		for _, v := range values {
			set(&b, v)
			all = append(all, b)
		}
	}
	*list = all
}

// or returns the values of an axis, or a single one if the plan gives none.
func or[T any](values []T, otherwise T) []T {
	if len(values) == 0 {
		return []T{otherwise}
	}
	return values
}

// compareCells orders cells by variant, pointwise, bank, layout, between, kernel size, expansion and seed.
func compareCells(a, b Cell) int {
	variant := func(c Cell) int { return slices.Index(parameter.Variants(), c.Variant) }
	between := func(c Cell) int {
		return slices.Index([]transform.Between{"", transform.None, transform.ReLU, transform.BatchNorm, transform.BatchNormReLU}, c.Between)
	}
	return cmp.Or(cmp.Compare(variant(a), variant(b)), cmp.Compare(a.Pointwise, b.Pointwise), cmp.Compare(a.Bank, b.Bank), cmp.Compare(a.Layout, b.Layout),
		cmp.Compare(between(a), between(b)), cmp.Compare(a.KernelSize, b.KernelSize), cmp.Compare(a.Expansion, b.Expansion), cmp.Compare(a.Seed, b.Seed))
}

// FailedError says which runs of a comparison failed, and why. The others finished. Plan.Do returns a pointer to it.
type FailedError struct {
	Runs   int     // the number of all runs of the comparison, also of those that finished, before or now
	Faults []error // one per run that failed; the text begins with the name of the run
}

// Error lists the runs.
func (e *FailedError) Error() string {
	return fmt.Sprintf("%d of %d runs failed; run the same command again to try only these again: %v", len(e.Faults), e.Runs, errors.Join(e.Faults...))
}

// Unwrap returns the errors of the runs.
func (e *FailedError) Unwrap() []error { return e.Faults }
