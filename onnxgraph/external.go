package onnxgraph

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rcfreeze/rcfreeze/onnxgraph/internal/onnxpb"
)

// externalData says where in which file the elements of a tensor are.
type externalData struct {
	folder  string // the model's
	entries []*onnxpb.StringStringEntryProto
}

// extent is a range of bytes of a file; a negative length means up to its end.
type extent struct {
	path           string
	offset, length int64
}

// resolve checks the entries and that the file has the bytes. A location must be relative and, links
// followed, stay in the model's folder: a model from elsewhere must not make us read other files.
func (e *externalData) resolve() (extent, error) {
	location := lookup(e.entries, "location")
	if location == "" {
		return extent{}, fmt.Errorf("external data without a location")
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return extent{}, fmt.Errorf("external data in %q: the path leaves the model's folder %s", location, e.folder)
	}
	path := filepath.Join(e.folder, filepath.FromSlash(location))
	if err := staysInside(path, e.folder); err != nil {
		return extent{}, err
	}
	x := extent{path: path, length: -1}
	for key, field := range map[string]*int64{"offset": &x.offset, "length": &x.length} {
		text := lookup(e.entries, key)
		if text == "" {
			continue
		}
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 0 {
			return extent{}, fmt.Errorf("external data in %s: %s is %q, not a number of bytes", path, key, text)
		}
		*field = n
	}
	info, err := os.Stat(path)
	if err != nil {
		return extent{}, fmt.Errorf("external data: %w", err)
	}
	if x.length < 0 {
		x.length = info.Size() - x.offset
	}
	if x.offset > info.Size() || x.length < 0 || x.length > info.Size()-x.offset {
		return extent{}, fmt.Errorf("external data: needs %d bytes at %d of %s, which has %d", x.length, x.offset, path, info.Size())
	}
	return x, nil
}

func staysInside(path, folder string) error {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	root, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return fmt.Errorf("external data: %w", err)
	}
	if relative, err := filepath.Rel(root, real); err != nil || !filepath.IsLocal(relative) {
		return fmt.Errorf("external data in %s: a link that leaves the model's folder %s", path, folder)
	}
	return nil
}

func (e *externalData) read() ([]byte, error) {
	x, err := e.resolve()
	if err != nil {
		return nil, err
	}
	f, err := os.Open(x.path)
	if err != nil {
		return nil, fmt.Errorf("reading external data: %w", err)
	}
	defer f.Close()
	data := make([]byte, x.length)
	if _, err := f.ReadAt(data, x.offset); err != nil {
		return nil, fmt.Errorf("reading %d bytes at %d of %s: %w", x.length, x.offset, x.path, err)
	}
	return data, nil
}
