//go:build !windows

package atomicfile

import (
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestMode writes files under several masks: a new one gets what the mask leaves, and a replaced one keeps its mode. What comes with
// a file is as private as that.
func TestMode(t *testing.T) {
	for _, c := range []struct {
		mask   int
		before fs.FileMode // 0 for a new file
		want   fs.FileMode
	}{
		{0o022, 0, 0o644},
		{0o002, 0, 0o664},
		{0o077, 0, 0o600},
		{0, 0, 0o666},
		{0o022, 0o600, 0o600},
		{0o077, 0o664, 0o664},
		{0o022, 0o444, 0o444},
		{0o022, 0o755, 0o755},
		{0o022, 0o644, 0o644},
	} {
		path := filepath.Join(t.TempDir(), "file")
		if c.before != 0 {
			if err := os.WriteFile(path, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(path, c.before); err != nil {
				t.Fatal(err)
			}
		}
		old := syscall.Umask(c.mask)
		with, err := writeBoth(path, "with", nil)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{path, filepath.Join(filepath.Dir(path), with)} {
			if info, err := os.Stat(path); err != nil || info.Mode() != c.want {
				t.Errorf("mask %03o, mode %03o before: %s has mode %v, %v, want %v", c.mask, c.before, filepath.Base(path), info.Mode(), err, c.want)
			}
		}
	}
}

// TestModeOfFolders makes folders under several masks.
func TestModeOfFolders(t *testing.T) {
	for _, mask := range []int{0, 0o022, 0o077} {
		path := filepath.Join(t.TempDir(), "a")
		old := syscall.Umask(mask)
		err := MakeFolder(path)
		syscall.Umask(old)
		if err != nil {
			t.Fatal(err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o777&^fs.FileMode(mask) {
			t.Errorf("mask %03o: the folder has mode %v, %v", mask, info.Mode(), err)
		}
	}
}

func TestIsOf(t *testing.T) {
	info, err := os.Stat(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if me := os.Geteuid(); !isOf(me, info) || isOf(me+1, info) {
		t.Errorf("a folder of user %d is mine: %v, another one's: %v", me, isOf(me, info), isOf(me+1, info))
	}
}

// TestStaleOfOthers leaves alone what another user's process may have left, as whoever makes such a folder says what goes with it.
func TestStaleOfOthers(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, ".rcfreeze-0123456789abcdef")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(path, lockFile), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(path, os.Geteuid()+1, -1); err != nil {
		t.Skip("only root can do that: ", err)
	}
	if err := Write(filepath.Join(folder, "file"), text("x")); err != nil || !isThere(path) {
		t.Errorf("it is there: %v; error %v", isThere(path), err)
	}
}
