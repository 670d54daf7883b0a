package onnxgraph

import (
	"errors"
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// Staged is a model that is saved in a temporary folder, and not yet in its final place.
type Staged struct {
	stage     *atomicfile.Stage
	path      string // the final path, as passed to Stage
	data      string // the name of the data file, "" if there is none
	notFinite []NotFinite
}

// Stage saves the model as Save does, but leaves the files in a temporary folder until Commit moves them to their places. So you
// can try a model before it replaces another one.
func (m *Model) Stage(path string, mode ExternalMode) (*Staged, error) {
	stage, err := atomicfile.Begin(path)
	if err != nil {
		return nil, fmt.Errorf("saving %s: %w", path, err)
	}
	s := &Staged{stage: stage, path: path}
	if err := s.write(m, mode); err != nil {
		return nil, fmt.Errorf("saving %s: %w", path, errors.Join(err, s.Abandon()))
	}
	return s, nil
}

// StageTemporarily saves the model to the system's folder for temporary files, until Abandon removes it. Use it to let another
// program, or ONNX Runtime, read the model from Path. The files have no final place, so do not call Commit.
func (m *Model) StageTemporarily(mode ExternalMode) (*Staged, error) {
	stage, err := atomicfile.BeginTemporary()
	if err != nil {
		return nil, err
	}
	s := &Staged{stage: stage}
	if err := s.write(m, mode); err != nil {
		return nil, errors.Join(err, s.Abandon())
	}
	return s, nil
}

func (s *Staged) write(m *Model, mode ExternalMode) error {
	// Do not write a model that could not be loaded again.
	if err := m.Validate(); err != nil {
		return fmt.Errorf("the model is not valid, and nothing was written: %w", err)
	}
	e, err := m.encode(mode, "")
	if err != nil {
		return err
	}
	s.notFinite = e.typed
	if len(e.data) > 0 {
		if s.data, err = s.stage.WriteWith(func(f *atomicfile.File) (atomicfile.Sum, error) {
			sum, found, err := writeSummed(f, e.data)
			s.notFinite = append(s.notFinite, found...)
			return sum, err
		}); err != nil {
			return err
		}
		if e, err = m.encode(mode, s.data); err != nil {
			return err
		}
	}
	return s.stage.Write(func(f *atomicfile.File) error {
		found, err := writeParts(f, e.model)
		s.notFinite = append(s.notFinite, found...)
		return err
	})
}

// NotFinite returns the constants of the model with elements that are NaN or infinite.
func (s *Staged) NotFinite() []NotFinite { return s.notFinite }

// Path returns the path of the complete model in the temporary folder. It is valid until Commit or Abandon.
func (s *Staged) Path() string { return s.stage.Path() }

// Data returns the name of the model's data file, "" if it has none.
func (s *Staged) Data() string { return s.data }

// Commit moves the files of a model that Stage saved to their final places, and removes the temporary folder.
func (s *Staged) Commit() error {
	if err := s.stage.Commit(s.obsoleteData); err != nil {
		return fmt.Errorf("saving %s: %w", s.path, err)
	}
	return nil
}

// Abandon removes the temporary folder with the files that are still in it. Always call it at the end, for example by defer.
// After Commit it does nothing.
func (s *Staged) Abandon() error { return s.stage.Abandon() }
