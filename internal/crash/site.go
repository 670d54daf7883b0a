package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// site is a folder in which a command runs: it has the folder that the command works in, one for its temporary files, and its output.
type site string

func (s site) work() string      { return filepath.Join(string(s), "work") }
func (s site) temporary() string { return filepath.Join(string(s), "tmp") }
func (s site) stdout() string    { return filepath.Join(string(s), "stdout") }
func (s site) stderr() string    { return filepath.Join(string(s), "stderr") }

// watched returns the watched paths of a site, including standard output, whose failures must be noticed, too.
func (s site) watched() []string { return []string{s.work(), s.temporary(), s.stdout()} }

// relative returns the name of a path in a tree.
func (s site) relative(path string) string {
	if rest, ok := strings.CutPrefix(path, s.work()+"/"); ok {
		return rest
	}
	if rest, ok := strings.CutPrefix(path, string(s)+"/"); ok {
		return temporaryMark + rest
	}
	return path
}

// temporaryMark is a prefix for names in a tree that are outside the working folder.
const temporaryMark = "(beside) "

// copied returns a new site below a folder with the files of s.
func (s site) copied(below string) (site, error) {
	folder, err := os.MkdirTemp(below, "site-")
	if err != nil {
		return "", err
	}
	to := site(folder)
	if err := os.CopyFS(to.work(), os.DirFS(s.work())); err != nil {
		return "", err
	}
	return to, os.MkdirAll(to.temporary(), 0o755)
}

// tree is the content of a site: kind and content of each file by name. Names of folders end with a slash.
type tree map[string]entry

type entry struct {
	mode fs.FileMode
	data []byte // as normal returns it
	raw  []byte
}

func (s site) tree() (tree, error) {
	t := tree{}
	for _, root := range []string{s.work(), s.temporary()} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == root {
				return err
			}
			info, err := d.Info()
			if err != nil {
				return err
			}
			name := s.relative(path)
			if d.IsDir() {
				t[name+"/"] = entry{mode: info.Mode()}
				return nil
			}
			e := entry{mode: info.Mode()}
			if e.raw, err = os.ReadFile(path); err != nil {
				return err
			}
			e.data = normal(name, e.raw)
			t[name] = e
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	return t, nil
}

func (t tree) names() []string { return slices.Sorted(maps.Keys(t)) }

func same(a, b entry) bool { return a.mode == b.mode && bytes.Equal(a.data, b.data) }

// same reports whether a name has the same content in two trees, or is in neither.
func (t tree) same(name string, other tree) bool {
	a, here := t[name]
	b, there := other[name]
	return here == there && same(a, b)
}

// differences lists how t differs from want.
func (t tree) differences(want tree) []string {
	var list []string
	for _, name := range want.names() {
		if _, ok := t[name]; !ok {
			list = append(list, name+" is missing")
		} else if !same(t[name], want[name]) {
			list = append(list, fmt.Sprintf("%s is %s, want %s", name, t[name], want[name]))
		}
	}
	folder := "\x00" // the last folder that should not exist: neither should its content
	for _, name := range t.names() {
		if _, ok := want[name]; ok || strings.HasPrefix(name, folder) {
			continue
		}
		list = append(list, name+" is left over")
		if strings.HasSuffix(name, "/") {
			folder = name
		}
	}
	return list
}

func (e entry) String() string {
	sum := sha256.Sum256(e.data)
	return fmt.Sprintf("%v with %d bytes (%s)", e.mode, len(e.raw), hex.EncodeToString(sum[:4]))
}
