package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/spf13/pflag"
)

// conversionFlags say which convolutions become frozen blocks, and of which kind.
type conversionFlags struct{ options transform.Options }

func (f *conversionFlags) add(flags *pflag.FlagSet) {
	f.addKind(flags)
	flags.IntVarP(&f.options.Expansion, "expansion", "E", 1, "bank filters per source filter, or per input channel with --layout depthwise")
	flags.Uint64Var(&f.options.Seed, "seed", 0, "seed of the banks and of random 1×1 convolutions")
}

// addKind adds all flags but those in which the runs of a comparison differ.
func (f *conversionFlags) addKind(flags *pflag.FlagSet) {
	o := &f.options
	flags.StringVar(&o.Bank, "bank", "", "where the filters of the bank come from: "+strings.Join(filterbank.Names(), ", ")+
		" (default "+filterbank.Default+", or with --pointwise identity the source's own filters)")
	flags.StringVar((*string)(&o.Layout), "layout", string(transform.Dense),
		"what a bank filter sees: dense (all input channels), depthwise (one)")
	flags.StringVar((*string)(&o.Between), "between", string(transform.None),
		"what stands between bank and 1×1 convolution: none, relu, batchnorm, batchnorm-relu")
	flags.StringVar((*string)(&o.Pointwise), "pointwise", string(transform.Project),
		"how the 1×1 convolution starts: project (closest to the source), random, identity (the bank is the source's filters)")
	flags.IntVar(&o.KernelSize, "kernel-size", 0, "replace every kernel by one of this size (0 keeps it)")
	flags.StringArrayVar(&o.Include, "include", nil, "convert only convolutions with a name like this, such as 'layer1.*' (repeatable)")
	flags.StringArrayVar(&o.Skip, "skip", nil, "leave out convolutions with a name like this (repeatable)")
	flags.IntVar(&o.MinKernel, "min-kernel", 0, "leave out convolutions with a smaller kernel")
	flags.IntVar(&o.MaxKernel, "max-kernel", 0, "leave out convolutions with a larger kernel (0: no limit)")
	flags.IntVar(&o.MinInChannels, "min-in-channels", 0, "leave out convolutions with fewer input channels, such as a fixed Fourier transform of a signal")
}

// checkExpansions says which of the expansions is none: the packages below take 0 for the default.
func checkExpansions(list ...int) error {
	var faults []error
	for _, e := range list {
		if e < 1 {
			faults = append(faults, fmt.Errorf("expansion %d: needs at least 1", e))
		}
	}
	return errors.Join(faults...)
}

// conversions prints what a conversion did or would do, one row per convolution.
func (p *printer) conversions(list []transform.Conversion) {
	var rows []table.Row
	noted := false
	for _, c := range list {
		kernel := product(c.Kernel)
		if c.NewKernel != nil {
			kernel += " to " + product(c.NewKernel)
		}
		outcome, lost := string(c.Status), number("")
		switch c.Status {
		case transform.Skipped:
			outcome += ": " + c.Reason
		case transform.Converted:
			lost = decimal(c.Error)
			if c.Note != "" {
				outcome += "; " + c.Note
				noted = true
			}
		}
		rows = append(rows, table.Row{c.Node, kernel, product(c.Strides), known(int64(c.Groups)), known(int64(c.In)) + "→" + known(int64(c.Out)),
			known(c.Before.Trainable + c.Before.Bank), known(c.Before.MACs), count(c.After.Trainable), count(c.After.Bank), lost, outcome})
	}
	p.table(table.Row{"convolution", "kernel", "stride", "groups", "channels", "parameters", "MACs", "trainable after", "in the bank", "relative error", "outcome"}, rows)
	if noted {
		p.say("Convolutions that are fixed on purpose stay as they are with --skip and their name, or with --min-in-channels.")
	}
}
