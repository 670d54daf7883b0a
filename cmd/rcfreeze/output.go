package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/spf13/cobra"
)

// outputFlags say where a model is written, and how.
type outputFlags struct {
	path     string
	external string
}

// externalModes are the values of --external-data.
var externalModes = map[string]onnxgraph.ExternalMode{
	"auto": onnxgraph.ExternalAsRead,
	"all":  onnxgraph.ExternalAll,
	"none": onnxgraph.ExternalNone,
}

func (f *outputFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.path, "output", "o", "", "the ONNX file to write")
	cmd.MarkFlagRequired("output")
	cmd.Flags().StringVar(&f.external, "external-data", "auto",
		"which tensors to keep in a data file beside the model: auto (as they were read), all, none")
}

// check makes sure, before long work, that the file can be written in the end.
func (f *outputFlags) check() error {
	if _, ok := externalModes[f.external]; !ok {
		return fmt.Errorf("--external-data %q: choose auto, all or none", f.external)
	}
	if info, err := os.Stat(f.path); err == nil && info.IsDir() {
		return fmt.Errorf("checking the output %s: it is a folder: name a file in it", f.path)
	}
	probe, err := os.CreateTemp(filepath.Dir(f.path), ".write-*")
	if err != nil {
		return fmt.Errorf("checking that the output %s can be written: its folder must exist and be writable: %w", f.path, err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func (f *outputFlags) save(m *onnxgraph.Model) error {
	return m.Save(f.path, externalModes[f.external])
}

// stage saves the model to be tried before it gets its place.
func (f *outputFlags) stage(m *onnxgraph.Model) (*onnxgraph.Staged, error) {
	return m.Stage(f.path, externalModes[f.external])
}
