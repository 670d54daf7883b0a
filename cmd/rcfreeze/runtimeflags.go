package main

import (
	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/spf13/pflag"
)

// runtimeFlags say which ONNX Runtime runs a model, and on what.
type runtimeFlags struct{ options rcfreeze.Runtime }

func (f *runtimeFlags) add(flags *pflag.FlagSet) {
	addLibrary(flags, &f.options.Library)
	flags.StringVar((*string)(&f.options.Provider), "provider", string(ort.CPU), "what runs the model: cpu, cuda, or auto (cuda if it works here, else cpu)")
	flags.IntVar(&f.options.Device, "device", 0, "number of the GPU to use with cuda (default 0)")
	flags.BoolVar(&f.options.TF32, "tf32", false, "with cuda, let convolutions and matrix products round their inputs to 10 bits of mantissa, which is faster")
	flags.IntVar(&f.options.Threads, "threads", 0, "threads per operator, up to the number of available cores (0: all of them)")
}

func addLibrary(flags *pflag.FlagSet, library *string) {
	flags.StringVar(library, "ort-lib", "", "the ONNX Runtime library or its folder (default: $"+ort.LibraryVariable+", then the places that rcfreeze doctor lists)")
}
