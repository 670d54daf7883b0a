package onnxgraph

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// TestTarget writes to every kind of thing that can be at a path: a link stays one, what it leads to is written, and nothing
// but files is replaced.
func TestTarget(t *testing.T) {
	for _, c := range []struct {
		name    string
		links   []string // "path -> target"
		path    string
		file    string // where the file must be afterwards, "" if it must be refused
		refused string
	}{
		{"nothing", nil, "a/new", "a/new", ""},
		{"a file", nil, "a/old", "a/old", ""},
		{"a link to a file", []string{"b/link -> ../a/old"}, "b/link", "a/old", ""},
		{"an absolute link", []string{"b/link -> /a/old"}, "b/link", "a/old", ""},
		{"a link to a link", []string{"b/next -> ../a/old", "b/link -> next"}, "b/link", "a/old", ""},
		{"a link to nothing yet", []string{"b/link -> ../a/new"}, "b/link", "a/new", ""},
		{"a link to a link to nothing yet", []string{"b/next -> /a/new", "b/link -> next"}, "b/link", "a/new", ""},
		{"a link in a folder that is a link", []string{"b/c -> ../a", "a/link -> ../b/new"}, "b/c/link", "b/new", ""},
		{"a link through a folder that is a link", []string{"b/c -> ../a/sub", "b/link -> c/../new"}, "b/link", "a/new", ""},
		{"a link into no folder", []string{"b/link -> gone/new"}, "b/link", "", "no such file"},
		{"a link to itself", []string{"b/link -> link"}, "b/link", "", "link"},
		{"a folder", nil, "a", "", "is a folder"},
		{"a link to a folder", []string{"b/link -> ../a"}, "b/link", "", "is a folder"},
		{"a socket", nil, "socket", "", "a socket"},
		{"a link to a socket", []string{"b/link -> ../socket"}, "b/link", "", "a socket"},
	} {
		for _, write := range []struct {
			name string
			do   func(path string) error
		}{
			{"Save", func(path string) error { return small(t, 5000).Save(path, ExternalNone) }},
			{"Write", func(path string) error {
				return atomicfile.Write(path, func(w io.Writer) error {
					_, err := w.Write([]byte("new"))
					return err
				})
			}},
		} {
			t.Run(c.name+", "+write.name, func(t *testing.T) {
				t.Chdir(t.TempDir()) // the path of a socket must be short
				socket, err := net.Listen("unix", "socket")
				if err != nil {
					t.Skip("no sockets here: ", err)
				}
				defer socket.Close()
				err = errors.Join(os.MkdirAll("a/sub", 0o755), os.Mkdir("b", 0o755), os.WriteFile("a/old", []byte("old"), 0o644))
				if err != nil {
					t.Fatal(err)
				}
				for _, link := range c.links {
					path, target, _ := strings.Cut(link, " -> ")
					if filepath.IsAbs(target) {
						target = filepath.Join(workingFolder(t), target)
					}
					if err := os.Symlink(target, path); err != nil {
						t.Fatal(err)
					}
				}
				err = write.do(c.path)
				for _, link := range c.links {
					if path, _, _ := strings.Cut(link, " -> "); !isLink(path) {
						t.Errorf("the link %s is gone", path)
					}
				}
				if c.refused != "" {
					if err == nil || !strings.Contains(err.Error(), c.refused) {
						t.Errorf("got error %v, want one with %q", err, c.refused)
					}
					return
				}
				if err != nil {
					t.Fatal(err)
				}
				if data, err := os.ReadFile(c.file); err != nil || bytes.Equal(data, []byte("old")) || isLink(c.file) {
					t.Errorf("%s was not written: %v", c.file, err)
				}
				if left, err := filepath.Glob("*/.*"); err != nil || len(left) > 0 {
					t.Errorf("temporary files are left: %v, %v", left, err)
				}
			})
		}
	}
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&os.ModeSymlink != 0
}

// dataFile returns the one data file of the model at path.
func dataFile(t *testing.T, path string) string {
	t.Helper()
	m, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Graph.Value("w").Constant().proto.ExternalData) == 0 {
		t.Fatalf("%s has no data file", path)
	}
	return filepath.Join(filepath.Dir(path), m.Graph.Value("w").Constant().proto.ExternalData[0].GetValue())
}

// TestTargetIsNoDevice only asks: writing could damage the machine.
func TestTargetIsNoDevice(t *testing.T) {
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(os.DevNull, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{os.DevNull, link} {
		if _, err := atomicfile.Target(path); err == nil || !strings.Contains(err.Error(), "a device") {
			t.Errorf("%s: got error %v", path, err)
		}
	}
}

// TestDataBesideTarget saves a model with external data through a link: the data is beside the model, and a link with its
// name stays one.
func TestDataBesideTarget(t *testing.T) {
	folder := t.TempDir()
	path, link := filepath.Join(folder, "model.onnx"), filepath.Join(folder, "links", "link.onnx")
	elsewhere := filepath.Join(folder, "elsewhere")
	m := small(t, 5000)
	err := errors.Join(os.Mkdir(filepath.Dir(link), 0o755), os.Symlink(path, link), m.Save(path, ExternalAll))
	if err != nil {
		t.Fatal(err)
	}
	taken := dataFile(t, path)
	if err := errors.Join(os.Remove(path), os.Remove(taken), os.Symlink(elsewhere, taken)); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(link, ExternalAll); err != nil {
		t.Fatal(err)
	}
	for _, from := range []string{path, link} {
		loaded, err := Load(from)
		if err != nil {
			t.Fatal(err)
		}
		if !loaded.Graph.Value("w").Constant().IsExternal() || !bytes.Equal(weights(t, loaded), weights(t, m)) {
			t.Errorf("%s: other weights, or not external", from)
		}
	}
	if _, err := os.Stat(elsewhere); err == nil || !isLink(taken) {
		t.Errorf("the link with the data's name was written through or replaced: %v", err)
	}
}
