package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/onnxgraph/atomicfile"
	"github.com/spf13/cobra"
)

// outputFlags say where a model is written, and how.
type outputFlags struct {
	path     string
	external string
	stdout   io.Writer        // for a model that goes to standard output, else nil
	source   *onnxgraph.Model // the model as it was read, nil if there is none
}

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
		"which tensors go into a data file beside the model: all, none, or auto (those that were in one when the model was read)")
}

// check makes sure, before long work, that the model can be written in the end. If that takes standard output, results go to
// standard error.
func (f *outputFlags) check(p *printer) error {
	if _, ok := externalModes[f.external]; !ok {
		return usage(fmt.Errorf("--external-data %q: choose auto, all or none", f.external))
	}
	if f.path == standardStream {
		switch {
		case p.json:
			return usage(errors.New("-o - and --json: the model and the result would both go to standard output: name a file for the model"))
		case f.external == "all":
			return usage(errors.New("-o - and --external-data all: standard output has no place for a data file: name a file for the model, or leave its data in it"))
		}
		f.stdout, p.stdout = p.stdout, p.stderr
		return nil
	}
	if err := atomicfile.Check(f.path); err != nil {
		return fmt.Errorf("checking that the output %s can be written: %w", f.path, err)
	}
	return nil
}

// name is what messages call the output.
func (f *outputFlags) name() string {
	if f.stdout != nil {
		return "standard output"
	}
	return f.path
}

// save writes the model.
func (f *outputFlags) save(p *printer, m *onnxgraph.Model) error {
	s, err := f.stage(p, m)
	if err != nil {
		return err
	}
	defer s.Abandon()
	return s.commit(p)
}

// stagedModel is a model that is complete in a temporary file, to be tried before it is written.
type stagedModel struct {
	*onnxgraph.Staged
	name   string    // what messages call it
	stdout io.Writer // where it goes if that is no file
}

// stage saves the model to be tried before it gets its place.
func (f *outputFlags) stage(p *printer, m *onnxgraph.Model) (*stagedModel, error) {
	s, err := f.write(p, m)
	if err != nil {
		return nil, err
	}
	if err := f.checkFinite(p, s.NotFinite()); err != nil {
		s.Abandon()
		return nil, fmt.Errorf("saving %s: %w", f.name(), err)
	}
	return &stagedModel{s, f.name(), f.stdout}, nil
}

// write writes the model to a temporary file.
func (f *outputFlags) write(p *printer, m *onnxgraph.Model) (*onnxgraph.Staged, error) {
	mode := externalModes[f.external]
	if f.stdout == nil {
		return m.Stage(f.path, mode)
	}
	if mode != onnxgraph.ExternalNone && hasExternalData(m) {
		p.say("%s has tensors in a data file: on standard output they are in the model", m.Path())
	}
	return m.StageTemporarily(onnxgraph.ExternalNone)
}

// checkFinite says which weights that are to be written hold NaN or infinity. It is an error if the source has none.
func (f *outputFlags) checkFinite(p *printer, written []onnxgraph.NotFinite) error {
	if len(written) == 0 {
		return nil
	}
	var before []onnxgraph.NotFinite
	if f.source != nil {
		var err error
		if before, err = f.source.NotFinite(); err != nil {
			return err
		}
	}
	if len(before) == 0 {
		return fmt.Errorf("weights became NaN or infinite, such as by numbers too large for their type, and nothing was written: %s", listNotFinite(written))
	}
	p.say("%s has weights that are NaN or infinite, and so has what is written: %s", f.source.Path(), listNotFinite(written))
	return nil
}

// listNotFinite names the first few of the tensors.
func listNotFinite(list []onnxgraph.NotFinite) string {
	names := make([]string, len(list))
	for i, n := range list {
		names[i] = n.String()
	}
	return onnxgraph.Listed(names)
}

// commit gives the model its place.
func (s *stagedModel) commit(p *printer) error {
	if s.stdout == nil {
		err := s.Commit()
		if err == nil && s.Data() != "" {
			p.say("%s has its large tensors in %s: keep both in one folder", s.name, s.Data())
		}
		return err
	}
	file, err := os.Open(s.Path())
	if err == nil {
		defer file.Close()
		_, err = io.Copy(s.stdout, file)
	}
	if err != nil {
		return fmt.Errorf("writing the model to standard output: %w", err)
	}
	return nil
}

func hasExternalData(m *onnxgraph.Model) bool {
	for _, g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if t := v.Constant(); t != nil && t.IsExternal() {
				return true
			}
		}
	}
	return false
}
