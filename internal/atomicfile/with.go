package atomicfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"unicode/utf8"
)

// Sum is a checksum of a file's content.
type Sum [sha256.Size]byte

// next returns another checksum, for content whose name is taken.
func (s Sum) next() Sum { return sha256.Sum256(s[:]) }

const (
	longestName = 255 // bytes, on nearly all file systems
	digits      = 12  // of the checksum in a name
	extension   = ".data"

	pieceSize = 1 << 18 // bytes that are read at a time
)

// nameWith returns the name of a file that belongs to the file base: base.CHECKSUM.data. base is shortened if the name would be
// too long.
func nameWith(base string, sum Sum) string {
	return fmt.Sprintf("%s.%x%s", stem(base), sum[:digits/2], extension)
}

func stem(base string) string {
	room := longestName - len(".") - digits - len(extension)
	if len(base) <= room {
		return base
	}
	for !utf8.RuneStart(base[room]) {
		room--
	}
	return base[:room]
}

// IsWith reports whether name is the name of a file that belongs to the file base.
func IsWith(base, name string) bool {
	rest, isOf := strings.CutPrefix(name, stem(base)+".")
	sum, isData := strings.CutSuffix(rest, extension)
	return isOf && isData && len(sum) == digits && strings.Trim(sum, "0123456789abcdef") == ""
}

// haveSameContent compares two files.
func haveSameContent(path, other string) (bool, error) {
	a, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer a.Close()
	b, err := os.Open(other)
	if err != nil {
		return false, err
	}
	defer b.Close()
	infoA, errA := a.Stat()
	infoB, errB := b.Stat()
	if err := errors.Join(errA, errB); err != nil || infoA.Size() != infoB.Size() {
		return false, err
	}
	inA, inB := make([]byte, pieceSize), make([]byte, pieceSize)
	for left := infoA.Size(); left > 0; left -= pieceSize {
		inA, inB = inA[:min(left, pieceSize)], inB[:min(left, pieceSize)]
		_, errA := io.ReadFull(a, inA)
		_, errB := io.ReadFull(b, inB)
		if err := errors.Join(errA, errB); err != nil || !bytes.Equal(inA, inB) {
			return false, err
		}
	}
	return true, nil
}

// mentions reports whether the bytes of a file contain text. A file that does not exist contains nothing.
func mentions(path, text string) (bool, error) {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	piece := make([]byte, pieceSize)
	for kept := 0; ; {
		n, err := f.Read(piece[kept:])
		read := piece[:kept+n]
		if bytes.Contains(read, []byte(text)) {
			return true, nil
		}
		if err == io.EOF {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		kept = copy(piece, read[max(0, len(read)-len(text)):]) // text may continue in the next piece
	}
}
