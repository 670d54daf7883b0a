package onnxgraph

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// Staged is a model that is saved but has not taken its place yet: its files are in a temporary folder beside it.
type Staged struct {
	folder    string
	files     [2][2]string // the data file, if any, then the model: where it is and where it belongs
	notFinite []NotFinite
}

// Stage saves the model as Save does, but for giving the files their places, which Commit does. So a model
// can be tried before it replaces another one.
func (m *Model) Stage(path string, mode ExternalMode) (*Staged, error) {
	s, err := m.stage(path, mode)
	if err != nil {
		return nil, fmt.Errorf("saving %s: %w", path, err)
	}
	return s, nil
}

func (m *Model) stage(path string, mode ExternalMode) (*Staged, error) {
	path, err := Target(path)
	if err != nil {
		return nil, err
	}
	data := m.freeDataPath(path)
	e, err := m.encode(mode, filepath.Base(data))
	if err != nil {
		return nil, err
	}
	return e.stage(path, data)
}

func (e *encoded) stage(path, data string) (*Staged, error) {
	folder, err := os.MkdirTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	s := &Staged{folder: folder, notFinite: e.typed}
	if len(e.data) > 0 {
		s.files[0] = [2]string{filepath.Join(folder, filepath.Base(data)), data}
		err = s.create(s.files[0][0], e.data)
	}
	s.files[1] = [2]string{filepath.Join(folder, filepath.Base(path)), path}
	if err == nil {
		err = s.create(s.Path(), e.model)
	}
	if err != nil {
		s.Abandon()
		return nil, err
	}
	return s, nil
}

func (s *Staged) create(path string, parts []part) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	found, err := writeParts(f, parts)
	s.notFinite = append(s.notFinite, found...)
	return errors.Join(err, f.Close())
}

// NotFinite returns the constants of the model with elements that are NaN or infinite.
func (s *Staged) NotFinite() []NotFinite { return s.notFinite }

// Path returns where the complete model is until Commit.
func (s *Staged) Path() string { return s.files[1][0] }

// Commit gives the files their places.
func (s *Staged) Commit() error {
	for _, f := range s.files {
		if f[0] == "" {
			continue
		}
		if err := os.Rename(f[0], f[1]); err != nil {
			return fmt.Errorf("saving %s: %w", s.files[1][1], err)
		}
	}
	return nil
}

// Abandon removes what is left of the temporary folder; it is to be called in the end, after Commit too.
func (s *Staged) Abandon() { os.RemoveAll(s.folder) }

// freeDataPath returns the data file for a model at path: not one that the model still reads from, and nothing but a file, as
// a link would be lost.
func (m *Model) freeDataPath(path string) string {
	candidate := path + ".data"
	for i := 1; !m.mayReplace(candidate); i++ {
		candidate = fmt.Sprintf("%s.%d.data", path, i)
	}
	return candidate
}

func (m *Model) mayReplace(path string) bool {
	info, err := os.Lstat(path)
	if err != nil {
		return true // nothing is there, or saving will tell what is wrong
	}
	return info.Mode().IsRegular() && !slices.ContainsFunc(m.files, func(found os.FileInfo) bool { return os.SameFile(info, found) })
}
