package onnxgraph

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// obsoleteData returns which data files only the model needs that is to be replaced: those that Save made for it, that it names, and
// that neither the new model nor another one in the folder names, such as a copy.
func (s *Staged) obsoleteData() ([]string, error) {
	folder, base := filepath.Dir(s.stage.Place()), filepath.Base(s.stage.Place())
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if e.Type().IsRegular() && e.Name() != s.data && atomicfile.IsWith(base, e.Name()) {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	if names, err = named(s.stage.Place(), names); err != nil {
		return nil, nil // what cannot be read may need all
	}
	for _, e := range entries {
		if len(names) == 0 || e.Name() == base || !mayBeModel(e) {
			continue
		}
		needed, err := named(filepath.Join(folder, e.Name()), names)
		if err != nil {
			return nil, nil
		}
		names = slices.DeleteFunc(names, func(name string) bool { return slices.Contains(needed, name) })
	}
	return names, nil
}

func mayBeModel(e fs.DirEntry) bool {
	return e.Type().IsRegular() && strings.Contains(e.Name(), ".onnx") && !strings.HasSuffix(e.Name(), ".data")
}

// named returns which of the given names of data files are in a model file. There are none in what is no model.
func named(path string, names []string) ([]string, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	t := &taker{window: fileWindow(f, info)}
	rest, err := t.take()
	if err != nil {
		return nil, nil
	}
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !bytes.Contains(rest, []byte(name)) }), nil
}
