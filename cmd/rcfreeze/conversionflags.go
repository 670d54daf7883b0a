package main

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterbank"
	"github.com/spf13/pflag"
)

// conversionFlags say which convolutions become frozen blocks, and of which kind.
type conversionFlags struct {
	options   transform.Options
	expansion string
}

// autoExpansion is the value of --expansion that has it chosen by --max-error.
const autoExpansion = "auto"

func (f *conversionFlags) add(flags *pflag.FlagSet) {
	f.addKind(flags)
	flags.StringVarP(&f.expansion, "expansion", "E", "1", "bank filters per source filter, or per input channel with --layout depthwise; "+
		"auto: for each convolution, the fewest that keep --max-error")
	flags.Float64Var(&f.options.MaxError, "max-error", 0, "with --expansion auto, the largest relative error that a convolution may have, such as 0.1; "+
		"with --pointwise calibrate, that of its output")
	flags.BoolVar(&f.options.KeepVariance, "keep-variance", false, "with --pointwise calibrate, scale each filter so that its output varies as much as the source's: "+
		"better for small expansions")
	flags.Uint64Var(&f.options.Seed, "seed", 0, "seed of the banks and of random 1×1 convolutions")
}

// settle reads the expansion, once flags are parsed, and lists what is wrong with them.
func (f *conversionFlags) settle() error {
	o := &f.options
	if f.expansion == autoExpansion {
		if !(o.MaxError > 0 && o.MaxError < 1) {
			return fmt.Errorf("--expansion auto: needs a --max-error above 0 and below 1, got %v", o.MaxError)
		}
		return o.Validate()
	}
	if o.MaxError != 0 {
		return fmt.Errorf("--max-error %v: chooses expansions, which --expansion %s fixes: give --expansion auto", o.MaxError, f.expansion)
	}
	var err error
	if o.Expansion, err = strconv.Atoi(f.expansion); err != nil {
		return fmt.Errorf("--expansion %q: give a number, or auto", f.expansion)
	}
	return o.Validate()
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
		"how the 1×1 convolution starts: project (filters closest to the source's), calibrate (outputs closest, on --data), random, "+
			"identity (the bank is the source's filters)")
	flags.IntVar(&o.KernelSize, "kernel-size", 0, "replace every kernel by one of this size (0 keeps it)")
	flags.StringArrayVar(&o.Include, "include", nil, "convert only convolutions with a name like this, such as 'layer1.*' (repeatable)")
	flags.StringArrayVar(&o.Skip, "skip", nil, "leave out convolutions with a name like this (repeatable)")
	flags.IntVar(&o.MinKernel, "min-kernel", 0, "leave out convolutions with a smaller kernel")
	flags.IntVar(&o.MaxKernel, "max-kernel", 0, "leave out convolutions with a larger kernel (0: no limit)")
	flags.IntVar(&o.MinInChannels, "min-in-channels", 0, "leave out convolutions with fewer input channels, such as a fixed Fourier transform of a signal")
}
