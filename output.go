package rcfreeze

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Output says where a new model is written. With the zero value, it is not written.
type Output struct {
	Path   string    // a file; an existing one is replaced when the new one is complete
	Writer io.Writer // gets the whole model instead of a file; if it is set, Path is not used
	// External says which tensors to keep in a data file beside the model. With a Writer, all tensors are inside the model;
	// onnxgraph.ExternalAll is then an OptionsError.
	External onnxgraph.ExternalMode
}

// Name returns the name of the output for messages.
func (o Output) Name() string {
	if o.Writer != nil {
		return "standard output"
	}
	return o.Path
}

// Check returns an error if the model cannot be written. The functions of this package call it before their work.
func (o Output) Check() error {
	switch {
	case o.Writer != nil && o.External == onnxgraph.ExternalAll:
		return options(errors.New("-o - and --external-data all: standard output has no place for a data file: name a file for the model, or leave its data in it"))
	case o.Writer != nil || o.Path == "":
		return nil
	}
	if err := atomicfile.Check(o.Path); err != nil {
		return fmt.Errorf("checking that the output %s can be written: %w", o.Path, err)
	}
	return nil
}

// save writes a model that was made from source; source may be nil.
func (o Output) save(r Reporter, m, source *Model) error {
	if o.Writer == nil && o.Path == "" {
		return nil
	}
	s, err := o.stage(r, m, source)
	if err != nil {
		return err
	}
	defer s.Abandon()
	return s.commit(r)
}

// stagedModel is a complete model in a temporary file. It can be tried before it is moved to its place.
type stagedModel struct {
	*onnxgraph.Staged
	output Output
}

// stage saves the model to a temporary file.
func (o Output) stage(r Reporter, m, source *Model) (*stagedModel, error) {
	s, err := o.write(r, m)
	if err != nil {
		return nil, err
	}
	if err := checkFinite(r, s.NotFinite(), source); err != nil {
		s.Abandon()
		return nil, fmt.Errorf("saving %s: %w", o.Name(), err)
	}
	return &stagedModel{s, o}, nil
}

// write writes the model to a temporary file.
func (o Output) write(r Reporter, m *Model) (*onnxgraph.Staged, error) {
	if o.Writer == nil && o.Path != "" {
		return m.Stage(o.Path, o.External)
	}
	if o.Writer != nil && o.External != onnxgraph.ExternalNone && hasExternalData(m) {
		r.say("%s has tensors in a data file: on standard output, they are inside the model", m.Path())
	}
	return m.StageTemporarily(onnxgraph.ExternalNone)
}

// checkFinite reports weights with NaN or infinite elements. It fails if the source has no such weights.
func checkFinite(r Reporter, written []onnxgraph.NotFinite, source *Model) error {
	if len(written) == 0 {
		return nil
	}
	var before []onnxgraph.NotFinite
	if source != nil {
		var err error
		if before, err = source.NotFinite(); err != nil {
			return err
		}
	}
	if len(before) == 0 {
		return fmt.Errorf("weights became NaN or infinite, for example because they are too large for their type, and nothing was written: %s", listNotFinite(written))
	}
	r.say("%s has weights that are NaN or infinite, and so has the new model: %s", source.Path(), listNotFinite(written))
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

// commit moves the model to its place, if the output has one.
func (s *stagedModel) commit(r Reporter) error {
	if s.output.Writer == nil {
		if s.output.Path == "" {
			return nil
		}
		err := s.Commit()
		if err == nil && s.Data() != "" {
			r.say("the large tensors of %s are in %s: keep both in the same folder", s.output.Path, s.Data())
		}
		return err
	}
	file, err := os.Open(s.Path())
	if err == nil {
		defer file.Close()
		_, err = io.Copy(s.output.Writer, file)
	}
	if err != nil {
		return fmt.Errorf("writing the model to standard output: %w", err)
	}
	return nil
}

func hasExternalData(m *Model) bool {
	for _, g := range m.Graphs() {
		for _, v := range g.Initializers() {
			if t := v.Constant(); t != nil && t.IsExternal() {
				return true
			}
		}
	}
	return false
}
