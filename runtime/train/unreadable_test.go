package train

import (
	"archive/zip"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// broken is a disk that cannot read the byte at a place.
type broken struct {
	*bytes.Reader
	at int64
}

var errBroken = errors.New("the disk is broken")

func (b broken) ReadAt(p []byte, off int64) (int, error) {
	if off <= b.at && b.at < off+int64(len(p)) {
		return 0, errBroken
	}
	return b.Reader.ReadAt(p, off)
}

// TestUnreadable reads a checkpoint from disks that cannot read a byte of it. It may be whole: the error is that of the disk, not that
// the file is damaged, upon which a run would go on from another and replace it.
func TestUnreadable(t *testing.T) {
	var whole bytes.Buffer
	if err := newCheckpoint().write(&whole); err != nil {
		t.Fatal(err)
	}
	size := int64(whole.Len())
	for at := range size {
		for _, rest := range []func(*checkpoint, *zip.Reader) error{(*checkpoint).readStates, func(*checkpoint, *zip.Reader) error { return nil }} {
			_, err := parse(broken{bytes.NewReader(whole.Bytes()), at}, size, rest)
			if !errors.Is(err, errBroken) || errors.Is(err, errDamaged) {
				t.Errorf("byte %d of %d cannot be read: got error %v", at, size, err)
			}
		}
	}
}

// TestSealedNonsense reads files that are as they were written, and no checkpoints: an error, and no panic.
func TestSealedNonsense(t *testing.T) {
	var emptyZip bytes.Buffer
	if err := zip.NewWriter(&emptyZip).Close(); err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"nothing": "", "text": strings.Repeat("no zip file ", 20), "no description": emptyZip.String()} {
		var file bytes.Buffer
		s := newSealer(&file)
		if _, err := io.WriteString(s, content+strings.Repeat("0", sealSize)); err != nil {
			t.Fatal(err)
		}
		if err := s.seal(); err != nil {
			t.Fatal(err)
		}
		if c, err := parse(bytes.NewReader(file.Bytes()), int64(file.Len()), (*checkpoint).readStates); c != nil || err == nil {
			t.Errorf("%s: read %v, error %v", name, c, err)
		}
	}
}

// TestNowhereToWrite writes into a folder that is not there.
func TestNowhereToWrite(t *testing.T) {
	f := Folder(filepath.Join(t.TempDir(), "nowhere", "run"))
	for name, err := range map[string]error{
		"a checkpoint":        newCheckpoint().save(f.best()),
		"the last checkpoint": f.saveLast(newCheckpoint(), false),
		"metrics":             writeMetrics(f.metrics(), newCheckpoint().Start, nil),
	} {
		if !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
