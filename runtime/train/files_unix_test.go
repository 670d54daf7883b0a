//go:build unix

package train

import (
	"strings"
	"syscall"
	"testing"
)

// TestCheckpointThatIsNoFile finds a pipe, to which nobody writes, in the place of the last checkpoint.
func TestCheckpointThatIsNoFile(t *testing.T) {
	f := Folder(t.TempDir())
	if err := syscall.Mkfifo(f.last(), 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	if _, _, err := f.newest(); err == nil || !strings.Contains(err.Error(), f.last()+" is a pipe") {
		t.Errorf("error %v", err)
	}
	if !f.HasWork() {
		t.Error("the folder is taken for one without work")
	}
}
