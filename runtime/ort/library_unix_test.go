//go:build unix

package ort

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestLibraryThatIsNoFile names a pipe, to which nobody writes, as the library, and a folder with one in it.
func TestLibraryThatIsNoFile(t *testing.T) {
	folder := t.TempDir()
	pipe := filepath.Join(folder, thisPlatform().names[0])
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	for _, path := range []string{pipe, folder} {
		if _, err := findNamed(path, "the test"); err == nil || !strings.Contains(err.Error(), pipe+" is a pipe") {
			t.Errorf("%s: error %v", path, err)
		}
	}
}
