//go:build unix

package train

import (
	"strings"
	"syscall"
	"testing"
)

// TestCheckpointThatIsNoFile finds a pipe, to which nobody writes, in the place of the last checkpoint: the user should know, before a run goes
// on from another one.
func TestCheckpointThatIsNoFile(t *testing.T) {
	f := Folder(t.TempDir())
	if err := syscall.Mkfifo(f.last(), 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	if err := newCheckpoint().save(f.previous()); err != nil {
		t.Fatal(err)
	}
	if c, _, err := f.newest(); c != nil || err == nil || !strings.Contains(err.Error(), f.last()+" is a pipe") {
		t.Errorf("checkpoint %v, error %v", c, err)
	}
	if !f.HasWork() {
		t.Error("the folder is taken for one without work")
	}
}
