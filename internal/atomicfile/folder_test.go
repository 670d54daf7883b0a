package atomicfile

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// synced returns the folders below root that do syncs, by their paths from there.
func synced(t *testing.T, root string, do func() error) (folders []string, err error) {
	t.Helper()
	defer Intercept(func(s Step) error {
		if s.Doing == SyncFolder {
			folder, err := filepath.Rel(root, s.Path)
			if err != nil {
				return err
			}
			folders = append(folders, filepath.ToSlash(folder))
		}
		return nil
	})()
	err = do()
	return folders, err
}

func TestMakeFolder(t *testing.T) {
	root := t.TempDir()
	for _, c := range []struct {
		path   string
		synced []string // which got a new folder
	}{
		{"a", []string{"."}},
		{"a", nil},
		{"b/c/d", []string{"b/c", "b", "."}},
		{"b/c/e/", []string{"b/c"}},
		{"b/../f", []string{"."}},
	} {
		path := root + "/" + c.path
		got, err := synced(t, root, func() error { return MakeFolder(path) })
		if err != nil || !slices.Equal(got, c.synced) {
			t.Errorf("%s: synced %q, want %q: %v", c.path, got, c.synced, err)
		}
		if info, err := os.Stat(path); err != nil || !info.IsDir() {
			t.Errorf("%s: no folder: %v", c.path, err)
		}
	}
}

func TestMakeFolderFails(t *testing.T) {
	root := t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", "file/a"} {
		if err := MakeFolder(filepath.Join(root, path)); err == nil || !strings.Contains(err.Error(), "making the folder "+filepath.Join(root, path)) {
			t.Errorf("%s: %v", path, err)
		}
	}
	defer Intercept(func(Step) error { return syscall.EIO })()
	if err := MakeFolder(filepath.Join(root, "a")); !errors.Is(err, syscall.EIO) {
		t.Errorf("the folder cannot be synced: %v", err)
	}
}
