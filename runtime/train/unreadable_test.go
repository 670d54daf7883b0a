package train

import (
	"bytes"
	"errors"
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
		_, err := parse(broken{bytes.NewReader(whole.Bytes()), at}, size, (*checkpoint).readStates)
		if !errors.Is(err, errBroken) || errors.Is(err, errDamaged) {
			t.Errorf("byte %d of %d cannot be read: got error %v", at, size, err)
		}
	}
}
