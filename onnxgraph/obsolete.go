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

// obsoleteData returns the data files that only the old model needs, which the new one replaces. Save must have made such a file,
// the old model must name it, and neither the new model nor any other in the folder, such as a copy, may name it.
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
		return nil, nil // a model that cannot be read may need all of them
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

// named returns which of the given data files a model file names. A file that is not a model names none.
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
