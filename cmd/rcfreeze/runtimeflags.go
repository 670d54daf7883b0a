package main

import (
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/spf13/pflag"
)

// runtimeFlags say which ONNX Runtime runs a model, and on what.
type runtimeFlags struct {
	library  string
	provider string
	options  ort.Options
}

func (f *runtimeFlags) add(flags *pflag.FlagSet) {
	f.addLibrary(flags)
	flags.StringVar(&f.provider, "provider", string(ort.CPU), "what runs the model: cpu, cuda, or auto (cuda if it works here, else cpu)")
	flags.IntVar(&f.options.DeviceID, "device", 0, "number of the GPU to use with cuda")
	flags.BoolVar(&f.options.TF32, "tf32", false, "with cuda, let convolutions and matrix products round their inputs to 10 bits of mantissa, which is faster")
	flags.IntVar(&f.options.IntraOpThreads, "threads", 0, "threads per operator, at most one per available core (0: one per core)")
}

func (f *runtimeFlags) addLibrary(flags *pflag.FlagSet) {
	flags.StringVar(&f.library, "ort-lib", "", "the ONNX Runtime library or its folder (default: $"+ort.LibraryVariable+", then the places that rcfreeze doctor lists)")
}

// start initialises ONNX Runtime and returns how sessions are to run.
func (f *runtimeFlags) start(p *printer) (ort.Options, error) {
	choice, err := ort.ParseProvider(f.provider)
	if err != nil {
		return ort.Options{}, usage(err)
	}
	library, err := ort.Init(f.library)
	if err != nil {
		return ort.Options{}, err
	}
	if library.Warning != "" {
		p.say("%s: %s", library.Path, library.Warning)
	}
	o := f.options
	o.IntraOpThreads = p.asMany("--threads", o.IntraOpThreads)
	var reason string
	if o.Provider, reason, err = ort.Select(choice); err != nil {
		return ort.Options{}, err
	}
	if choice == ort.Auto {
		p.say("provider %s: %s", o.Provider, reason)
	}
	if p.verbose {
		p.say("ONNX Runtime %s (%s) on provider %s", library.Version, library.Path, o.Provider)
	}
	return o, nil
}
