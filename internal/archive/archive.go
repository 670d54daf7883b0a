// Package archive opens zip files that may be damaged or malicious: it checks declared sizes before it allocates memory for them.
package archive

import (
	"archive/zip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// Archive is an open zip file.
type Archive struct {
	*zip.Reader
	file *os.File
}

// Open opens a zip file. It fails if path is not a regular file, not a zip file, or if its directory has more than mostDirectory
// bytes.
func Open(path string) (*Archive, error) {
	f, info, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	r, err := New(f, info.Size())
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Archive{r, f}, nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// mostDirectory limits an archive's directory, in bytes: the names of its files and their positions. In memory, the directory
// takes several times as much.
const mostDirectory = 1 << 22

var errDirectory = fmt.Errorf("its list of files has more than %d bytes: it is damaged, or no archive of ours or of NumPy", mostDirectory)

// New opens a zip file of size bytes.
func New(r io.ReaderAt, size int64) (*zip.Reader, error) {
	m := &metered{ReaderAt: r, left: mostDirectory, opening: true}
	z, err := zip.NewReader(m, size)
	m.opening = false
	if errors.Is(err, zip.ErrFormat) {
		err = errors.New("it is no zip file, or one that is damaged or cut short")
	}
	return z, err
}

// metered limits how many bytes of a zip file are read to open it.
type metered struct {
	io.ReaderAt
	left    int64
	opening bool
}

func (m *metered) ReadAt(p []byte, offset int64) (int, error) {
	if !m.opening {
		return m.ReaderAt.ReadAt(p, offset)
	}
	if int64(len(p)) > m.left {
		return 0, errDirectory
	}
	n, err := m.ReaderAt.ReadAt(p, offset)
	if m.left -= int64(n); claimsMany(p[:n]) {
		return 0, errDirectory
	}
	return n, err
}

// claimsMany reports whether data is the end record of a large zip file (zip64) with more files than the directory can list.
// Package zip would allocate memory for the number in the record.
func claimsMany(data []byte) bool {
	const signature, number = "PK\x06\x06", 32 // where the number of files is
	return len(data) >= number+8 && string(data[:4]) == signature && binary.LittleEndian.Uint64(data[number:]) > mostDirectory/leastEntry
}

// leastEntry is the smallest number of bytes in a directory for one file.
const leastEntry = 46

// ReadFile reads the named file of an archive. It fails if the file has more than most bytes.
func ReadFile(z *zip.Reader, name string, most int64) ([]byte, error) {
	i := slices.IndexFunc(z.File, func(f *zip.File) bool { return f.Name == name })
	if i < 0 {
		return nil, fmt.Errorf("it has no file %s", name)
	}
	f := z.File[i]
	if f.UncompressedSize64 > uint64(most) {
		return nil, fmt.Errorf("%s has %d bytes, needs at most %d", name, f.UncompressedSize64, most)
	}
	if err := CheckSize(f); err != nil {
		return nil, err
	}
	r, err := f.Open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer r.Close()
	data, err := ReadExactly(r, int64(f.UncompressedSize64))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return data, nil
}

// CheckSize returns an error if the file of an archive cannot have as many bytes as the directory says.
func CheckSize(f *zip.File) error {
	if f.Method == zip.Store && f.UncompressedSize64 != f.CompressedSize64 {
		return fmt.Errorf("%s: it has %d bytes, which are not compressed, but claims %d", f.Name, f.CompressedSize64, f.UncompressedSize64)
	}
	if err := CheckDeflated(f.UncompressedSize64, f.CompressedSize64); err != nil {
		return fmt.Errorf("%s: %w", f.Name, err)
	}
	return nil
}
