package atomicfile_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/atomicfiletest"
)

// writer returns what writes text, in two pieces.
func writer(text string) func(io.Writer) error {
	return func(w io.Writer) error {
		for _, piece := range []string{text[:len(text)/2], text[len(text)/2:]} {
			if _, err := io.WriteString(w, piece); err != nil {
				return err
			}
		}
		return nil
	}
}

// TestWriteWithFaults writes a new file, and over one that is there with another mode.
func TestWriteWithFaults(t *testing.T) {
	for name, before := range map[string]func(folder string) error{
		"new":      nil,
		"replaced": func(folder string) error { return os.WriteFile(filepath.Join(folder, "file"), []byte("old"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			atomicfiletest.Check(t, atomicfiletest.Case{
				Before: before,
				Write:  func(folder string) error { return atomicfile.Write(filepath.Join(folder, "file"), writer("new text")) },
				State: func(folder string) (string, error) {
					data, err := os.ReadFile(filepath.Join(folder, "file"))
					if errors.Is(err, fs.ErrNotExist) {
						return "nothing", nil
					}
					return string(bytes.TrimSpace(data)), err
				},
			})
		})
	}
}

// TestStageWithFaults writes a file that names two others, which come with it, over one that names two, too; one of them is the same.
func TestStageWithFaults(t *testing.T) {
	write := func(folder string, with ...string) error {
		path := filepath.Join(folder, "file")
		s, err := atomicfile.Begin(path)
		if err != nil {
			return err
		}
		var named []byte
		for _, text := range with {
			name, err := s.WriteWith(func(f *atomicfile.File) (atomicfile.Sum, error) {
				return sha256.Sum256([]byte(text)), writer(text)(f)
			})
			if err != nil {
				return errors.Join(err, s.Abandon())
			}
			named = append(named, name+"\n"...)
		}
		if err := s.Write(func(f *atomicfile.File) error { return writer(string(named))(f) }); err != nil {
			return errors.Join(err, s.Abandon())
		}
		return s.Commit(func() (obsolete []string, err error) {
			old, err := os.ReadFile(path)
			if errors.Is(err, fs.ErrNotExist) {
				return nil, nil
			}
			for name := range bytes.Lines(old) {
				if !bytes.Contains(named, name) {
					obsolete = append(obsolete, string(bytes.TrimSpace(name)))
				}
			}
			return obsolete, err
		})
	}
	state := func(folder string) (string, error) {
		named, err := os.ReadFile(filepath.Join(folder, "file"))
		if errors.Is(err, fs.ErrNotExist) {
			return "nothing", nil
		}
		if err != nil || len(named) == 0 {
			return "", errors.Join(errors.New("an empty file"), err)
		}
		var all []byte
		for name := range bytes.Lines(named) {
			with, err := os.ReadFile(filepath.Join(folder, string(bytes.TrimSpace(name))))
			if err != nil {
				return "", err
			}
			all = append(all, with...)
		}
		return string(all), nil
	}
	for _, c := range []struct{ before, after []string }{
		{nil, []string{"new one, ", "new two"}},
		{[]string{"one, ", "two"}, []string{"new one, ", "two"}},
		{[]string{"one, ", "two"}, []string{"two"}},
		{[]string{"two"}, []string{"one, ", "two"}},
		{[]string{"one, ", "two"}, []string{"new one, ", "new two"}},
	} {
		t.Run("", func(t *testing.T) {
			before := func(folder string) error { return write(folder, c.before...) }
			if c.before == nil {
				before = nil
			}
			atomicfiletest.Check(t, atomicfiletest.Case{Before: before, State: state, Write: func(folder string) error { return write(folder, slices.Clone(c.after)...) }})
		})
	}
}
