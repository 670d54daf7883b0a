package onnxgraph

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// externalData says in which file, and where in it, the elements of a tensor are.
type externalData struct {
	folders []string // folders that may hold the data: see dataFolders
	entries []*onnxpb.StringStringEntryProto
	needed  int64       // bytes, for entries without a length; -1 if not known: then the data extends to the end of the file
	found   os.FileInfo // the data file when the model was read, nil before that
}

// extent is a range of bytes in a file.
type extent struct {
	path           string
	offset, length int64
}

// dataFolders returns the folders that may hold the data of the model at path: the folder of path and, if path is a link, that of
// the file that it points to. So a link to a model works like the model itself, and so does a Hugging Face cache, where model and
// data are links into one folder.
func dataFolders(path string) []string {
	folders := []string{filepath.Dir(path)}
	if real, err := filepath.EvalSymlinks(path); err == nil && filepath.Dir(real) != folders[0] {
		folders = append(folders, filepath.Dir(real))
	}
	return folders
}

// resolve checks the entries, and that the file is long enough.
func (e *externalData) resolve() (extent, error) {
	path, err := e.locate()
	if err != nil {
		return extent{}, err
	}
	x := extent{path: path}
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
	if err := plainfile.Check(path, info); err != nil {
		return extent{}, fmt.Errorf("external data: %w", err)
	}
	if e.found == nil {
		e.found = info
	}
	if isChanged(info, e.found) {
		return extent{}, fmt.Errorf("external data: %s has been changed since the model was loaded: load it again", path)
	}
	if x.length == 0 { // as in ONNX Runtime, 0 means that there is no length
		x.length = e.needed
	}
	if x.length < 0 {
		x.length = info.Size() - x.offset
	}
	if x.offset > info.Size() || x.length < 0 || x.length > info.Size()-x.offset {
		return extent{}, fmt.Errorf("external data: needs %d bytes at %d of %s, which has %d", x.length, x.offset, path, info.Size())
	}
	return x, nil
}

// locate returns the data file: the location in the first of the folders that has a file there. A model from elsewhere must not
// make us read arbitrary files. So a location must be relative and inside its folder, and if it is a link, it must point into one
// of the folders. ONNX Runtime has the same rule.
func (e *externalData) locate() (string, error) {
	location := lookup(e.entries, "location")
	if location == "" {
		return "", errors.New("external data without a location")
	}
	if len(e.folders) == 0 {
		return "", fmt.Errorf("external data in %q: only a model that is read from its file has a folder with data: name the file", location)
	}
	if !filepath.IsLocal(filepath.FromSlash(location)) {
		return "", fmt.Errorf("external data in %q: the path leaves the model's folder %s", location, e.folders[0])
	}
	path := filepath.Join(e.folders[0], filepath.FromSlash(location))
	for _, folder := range e.folders {
		candidate := filepath.Join(folder, filepath.FromSlash(location))
		if _, err := os.Stat(candidate); err == nil {
			path = candidate
			break
		}
	}
	real, err := realPath(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("external data: %w: a model needs its data files beside it", err)
	}
	if err != nil {
		return "", fmt.Errorf("external data: %w", err)
	}
	for _, folder := range e.folders {
		root, err := realPath(folder)
		if err != nil {
			return "", fmt.Errorf("external data: %w", err)
		}
		if relative, err := filepath.Rel(root, real); err == nil && filepath.IsLocal(relative) {
			return path, nil
		}
	}
	return "", fmt.Errorf("external data in %s: a link that leaves the model's folder %s, to %s", path, e.folders[0], real)
}

// realPath returns the absolute path of a file after following all links.
func realPath(path string) (string, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return "", err
	}
	return filepath.Abs(real)
}

// size also checks that the file is long enough, and unchanged since the model was read.
func (e *externalData) size() (int64, error) {
	x, err := e.resolve()
	return x.length, err
}

func (e *externalData) read() ([]byte, error) {
	var data []byte
	err := e.open(func(f *os.File, x extent) error {
		data = make([]byte, x.length)
		if _, err := f.ReadAt(data, x.offset); err != nil {
			return fmt.Errorf("reading %d bytes at %d of %s: %w", x.length, x.offset, x.path, err)
		}
		return nil
	})
	return data, err
}

func (e *externalData) writeTo(w io.Writer) error {
	return e.open(func(f *os.File, x extent) error { return copySection(w, f, x.offset, x.length) })
}

func (e *externalData) open(use func(*os.File, extent) error) error {
	x, err := e.resolve()
	if err != nil {
		return err
	}
	f, _, err := plainfile.Open(x.path)
	if err != nil {
		return fmt.Errorf("reading external data: %w", err)
	}
	defer f.Close()
	return use(f, x)
}
