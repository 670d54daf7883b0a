//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// tree is a copy of the module, in which tests run: a mutant may write anywhere.
type tree struct {
	from, root string
	files      map[string]stamp // what belongs there, by the path in the tree
}

type stamp struct {
	size     int64
	modified time.Time
	mode     fs.FileMode
}

// filesOf lists the files of a module: those that git tracks or does not ignore or, outside git, all that are in no hidden folder.
func filesOf(root string) (names []string, err error) {
	if exists(filepath.Join(root, ".git")) {
		list := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
		list.Dir = root
		out, err := output(list)
		return strings.Split(string(bytes.TrimRight(out, "\x00")), "\x00"), err
	}
	err = fs.WalkDir(os.DirFS(root), ".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir():
			names = append(names, filepath.FromSlash(path))
		case path != "." && strings.HasPrefix(entry.Name(), "."):
			return fs.SkipDir
		}
		return nil
	})
	return names, err
}

// copyTree copies all files of a module. What .cache holds is linked.
func copyTree(from, to string) (*tree, error) {
	names, err := filesOf(from)
	if err != nil {
		return nil, err
	}
	t := &tree{from: from, root: to, files: map[string]stamp{}}
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(from, name)); err != nil || !info.Mode().IsRegular() {
			continue // deleted, but not yet in git
		}
		if err := t.copy(name); err != nil {
			return nil, fmt.Errorf("copying the module: %w", err)
		}
	}
	if cache := filepath.Join(from, ".cache"); exists(cache) {
		if err := os.Symlink(cache, filepath.Join(to, ".cache")); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func (t *tree) copy(name string) error {
	source, err := os.Open(filepath.Join(t.from, name))
	if err != nil {
		return err
	}
	defer source.Close()
	info, err := source.Stat()
	if err != nil {
		return err
	}
	path := filepath.Join(t.root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	os.Remove(path)
	to, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, info.Mode().Perm())
	if err != nil {
		return err
	}
	if _, err := io.Copy(to, source); err != nil {
		to.Close()
		return err
	}
	if err := to.Close(); err != nil {
		return err
	}
	info, err = os.Lstat(path)
	if err != nil {
		return err
	}
	t.files[name] = stampOf(info)
	return nil
}

func stampOf(info fs.FileInfo) stamp { return stamp{info.Size(), info.ModTime(), info.Mode()} }

// restore undoes what a mutant changed.
func (t *tree) restore() error {
	missing := map[string]bool{}
	for name := range t.files {
		missing[name] = true
	}
	var changed []string
	err := filepath.WalkDir(t.root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(t.root, path)
		if err != nil || entry.IsDir() || name == ".cache" {
			return err
		}
		want, ours := t.files[name]
		if !ours {
			return os.Remove(path)
		}
		delete(missing, name)
		info, err := entry.Info()
		if err == nil && stampOf(info) != want {
			changed = append(changed, name)
		}
		return err
	})
	for name := range missing {
		changed = append(changed, name)
	}
	for _, name := range changed {
		if err == nil {
			err = t.copy(name)
		}
	}
	if err != nil {
		return fmt.Errorf("undoing what a mutant wrote: %w", err)
	}
	return nil
}
