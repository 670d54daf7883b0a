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
	flags.StringVarP(&f.expansion, "expansion", "E", "1", "fixed filters per filter of the original convolution (with --layout depthwise, per input channel); "+
		"auto takes the fewest that keep --max-error, for each convolution by itself")
	flags.Float64Var(&f.options.MaxError, "max-error", 0, "with --expansion auto: largest relative error of a block's filters (with --pointwise calibrate: of its output), such as 0.1")
	flags.BoolVar(&f.options.KeepVariance, "keep-variance", false, "with --pointwise calibrate, scale each filter so that its output varies as much as the original's, "+
		"which helps if --expansion is small")
	flags.Uint64Var(&f.options.Seed, "seed", 0, "seed for the fixed filters and for random 1×1 convolutions (default 0)")
}

// settle reads the expansion, once flags are parsed, and lists what is wrong with them.
func (f *conversionFlags) settle() error {
	o := &f.options
	if f.expansion == autoExpansion {
		if !(o.MaxError > 0 && o.MaxError < 1) {
			return fmt.Errorf("--expansion auto: needs a --max-error above 0 and below 1, got %v", o.MaxError)
		}
		return nil
	}
	if o.MaxError != 0 {
		return fmt.Errorf("--max-error %v: needs --expansion auto, which takes as many filters as this error needs, not --expansion %s", o.MaxError, f.expansion)
	}
	var err error
	if o.Expansion, err = strconv.Atoi(f.expansion); err != nil {
		return fmt.Errorf("--expansion %q: give a number, or auto", f.expansion)
	}
	return nil
}

// addKind adds the flags for the kind of blocks, but for the expansion.
func (f *conversionFlags) addKind(flags *pflag.FlagSet) {
	o := &f.options
	flags.StringVar(&o.Bank, "bank", "", bankUsage)
	flags.StringVar((*string)(&o.Layout), "layout", string(transform.Dense), layoutUsage)
	flags.StringVar((*string)(&o.Between), "between", string(transform.None), betweenUsage)
	flags.StringVar((*string)(&o.Pointwise), "pointwise", string(transform.Project), pointwiseUsage)
	flags.IntVar(&o.KernelSize, "kernel-size", 0, kernelUsage)
	f.addChoice(flags)
}

// What the flags say about the kinds of blocks.
var (
	bankUsage = "how the fixed filters are drawn: " + strings.Join(filterbank.Names(), ", ") +
		" (default " + filterbank.Default + "; with --pointwise identity, they are the original filters)"
	layoutUsage    = "what a fixed filter reads: dense (all input channels), depthwise (one input channel)"
	betweenUsage   = "what is between the fixed and the 1×1 convolution: none, relu, batchnorm, batchnorm-relu; blocks with a ReLU cannot be merged"
	pointwiseUsage = "how the 1×1 convolution is initialized: project (filters as close to the original ones as possible), " +
		"calibrate (outputs as close as possible, measured on --data), random, identity (the fixed filters are the original ones)"
	kernelUsage = "give the kernels of all blocks this size in every direction, such as 3 for 3×3 (0: the size of the original)"
)

// addChoice adds the flags that choose which convolutions become blocks.
func (f *conversionFlags) addChoice(flags *pflag.FlagSet) {
	o := &f.options
	flags.StringArrayVar(&o.Include, "include", nil, "convert only convolutions whose names match this pattern, such as 'layer1.*', where * stands for any text; may be given several times")
	flags.StringArrayVar(&o.Skip, "skip", nil, "do not convert convolutions whose names match this pattern, even if --include matches them; may be given several times")
	flags.IntVar(&o.MinKernel, "min-kernel", 0, "do not convert convolutions with a smaller kernel than this (0: no limit)")
	flags.IntVar(&o.MaxKernel, "max-kernel", 0, "do not convert convolutions with a larger kernel than this (0: no limit)")
	flags.IntVar(&o.MinInChannels, "min-in-channels", 0, "do not convert convolutions with fewer input channels than this; 2 leaves out, for example, a fixed Fourier transform of a signal, and the first convolution of a model for gray images (default 0)")
}
