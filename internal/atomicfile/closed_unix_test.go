//go:build !windows

package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"testing"
)

// TestAllIsClosed counts the open files of the process before and after writing, also where it fails: a program that writes many
// files would else run out of them.
func TestAllIsClosed(t *testing.T) {
	if _, err := os.ReadDir("/dev/fd"); err != nil {
		t.Skip("needs a list of the open files: ", err)
	}
	defer debug.SetGCPercent(debug.SetGCPercent(-1)) // which closes what nobody has any more
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	old, err := writeBoth(path, "old", nil)
	if err != nil {
		t.Fatal(err)
	}
	fails := func(doing Operation, do func() error) func() error {
		return func() error {
			defer Intercept(func(s Step) error {
				if s.Doing == doing {
					return syscall.EIO
				}
				return nil
			})()
			if err := do(); !errors.Is(err, syscall.EIO) {
				return errors.Join(errors.New("it should fail"), err)
			}
			return nil
		}
	}
	write := func() error { return Write(path, text("x")) }
	for name, do := range map[string]func() error{
		"a file":                          write,
		"a file, which fails":             fails(Writing, write),
		"a file that gets no place":       fails(Moving, write),
		"a file without a temporary":      fails(MakingTemporary, write),
		"a file without a lock":           fails(Locking, write),
		"a file whose name is not synced": fails(SyncFolder, write),
		"a file with another": func() error {
			_, err := writeBoth(path, "new", func() ([]string, error) { return []string{old}, nil })
			return err
		},
		"a file with one that is there": func() error {
			_, err := writeBoth(path, "new", nil)
			return err
		},
		"a check":           func() error { return Check(path) },
		"a folder":          func() error { return MakeFolder(filepath.Join(folder, "a/b")) },
		"the same content":  func() error { _, err := haveSameContent(path, path); return err },
		"what is mentioned": func() error { _, err := mentions(path, "x"); return err },
		"what is left": func() error {
			left := filepath.Join(folder, ".rcfreeze-0123456789abcdef")
			err := errors.Join(os.Mkdir(left, 0o700), os.WriteFile(filepath.Join(left, lockFile), nil, 0o600),
				os.WriteFile(filepath.Join(left, noteFile), []byte(`{"Place":"m","Obsolete":["m.0123456789ab.data"]}`), 0o600))
			RemoveStale(folder)
			if isThere(left) {
				return errors.Join(err, errors.New("it is still there"))
			}
			return err
		},
	} {
		before := openFiles(t)
		if err := do(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if after := openFiles(t); after != before {
			t.Errorf("%s: %d files are open, %d were before", name, after, before)
		}
	}
}

func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/dev/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
