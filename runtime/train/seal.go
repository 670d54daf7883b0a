package train

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
)

// sealSize is the number of bytes of the seal: the last bytes of a sealed file are the SHA-256 of all bytes before, in
// hexadecimal digits.
const sealSize = 2 * sha256.Size

// errDamaged says that a file differs from what was written.
var errDamaged = errors.New("the file is damaged")

// sealer writes a file and replaces its last sealSize bytes by the seal.
type sealer struct {
	w    io.Writer
	sum  hash.Hash
	held []byte // the last bytes so far, at most sealSize: the seal may replace them
}

func newSealer(w io.Writer) *sealer { return &sealer{w: w, sum: sha256.New()} }

// Write implements io.Writer.
func (s *sealer) Write(p []byte) (int, error) {
	pass := max(0, len(s.held)+len(p)-sealSize) // number of bytes that the seal cannot replace
	old := min(pass, len(s.held))
	out := io.MultiWriter(s.w, s.sum)
	for _, part := range [][]byte{s.held[:old], p[:pass-old]} {
		if _, err := out.Write(part); err != nil {
			return 0, err
		}
	}
	s.held = append(s.held[old:], p[pass-old:]...)
	return len(p), nil
}

// seal writes the seal instead of the last bytes.
func (s *sealer) seal() error {
	_, err := io.WriteString(s.w, hex.EncodeToString(s.sum.Sum(nil)))
	return err
}

// checkSeal reads a sealed file of size bytes, and returns an errDamaged if it differs from what was written.
func checkSeal(r io.ReaderAt, size int64) error {
	if size < sealSize {
		return fmt.Errorf("%w: it has %d bytes, too few for a checkpoint", errDamaged, size)
	}
	sum, seal := sha256.New(), make([]byte, sealSize)
	if _, err := io.Copy(sum, io.NewSectionReader(r, 0, size-sealSize)); err != nil {
		return err
	}
	if _, err := io.ReadFull(io.NewSectionReader(r, size-sealSize, sealSize), seal); err != nil {
		return err
	}
	if _, err := hex.Decode(make([]byte, sha256.Size), seal); err != nil {
		return fmt.Errorf("%w: it has no checksum at its end: it was cut short, or written by an older version of the program", errDamaged)
	}
	if !bytes.Equal(seal, hex.AppendEncode(nil, sum.Sum(nil))) {
		return fmt.Errorf("%w: its content does not match its checksum", errDamaged)
	}
	return nil
}
