package main

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/spf13/cobra"
)

// outputFlags say where a model is written, and how.
type outputFlags struct{ path, external string }

// externalModes are the values of --external-data.
var externalModes = map[string]onnxgraph.ExternalMode{
	"auto": onnxgraph.ExternalAsRead,
	"all":  onnxgraph.ExternalAll,
	"none": onnxgraph.ExternalNone,
}

func (f *outputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "output", "o", "", "the ONNX file to write; - writes to standard output")
	cmd.MarkFlagRequired("output")
	cmd.Flags().StringVar(&f.external, "external-data", "auto",
		"which tensors go into a data file beside the model: all, none, or auto (those that were in one before, and all large ones if the model has more than 2 GiB)")
}

// settle gives the options what the flags stand for. If the model takes standard output, results go to standard error from then on.
func (f *outputFlags) settle(p *printer, o *rcfreeze.Output) error {
	mode, ok := externalModes[f.external]
	if !ok {
		return usage(fmt.Errorf("--external-data %q: choose auto, all or none", f.external))
	}
	o.External = mode
	if f.path != standardStream {
		o.Path = f.path
		return nil
	}
	if p.json {
		return usage(errors.New("-o - and --json: the model and the result would both go to standard output: name a file for the model"))
	}
	o.Writer, p.stdout = p.stdout, p.stderr
	return nil
}
