package archive

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// large is a file of zeros with something at its end.
type large struct {
	size int64
	end  []byte
}

func (f large) ReadAt(p []byte, offset int64) (int, error) {
	clear(p)
	if at := f.size - int64(len(f.end)) - offset; at < int64(len(p)) {
		copy(p[max(at, 0):], f.end[max(-at, 0):])
	}
	if offset+int64(len(p)) > f.size {
		return int(f.size - offset), io.EOF
	}
	return len(p), nil
}

// end64 is the end of a zip file of that size (zip64) that claims so many files, in a directory of so many bytes before it.
func end64(size int64, files, directory uint64) []byte {
	record := make([]byte, 56)
	copy(record, "PK\x06\x06")
	locator := make([]byte, 20)
	copy(locator, "PK\x06\x07")
	locator[16] = 1 // disk
	end := append([]byte("PK\x05\x06"), make([]byte, 18)...)
	for i := 8; i < 20; i++ {
		end[i] = 0xff
	}
	recordAt := uint64(size) - uint64(len(record)+len(locator)+len(end))
	for at, v := range map[int]uint64{4: 44, 24: files, 32: files, 40: directory, 48: recordAt - directory} {
		binary.LittleEndian.PutUint64(record[at:], v)
	}
	binary.LittleEndian.PutUint64(locator[8:], recordAt)
	return slices.Concat(record, locator, end)
}

// TestClaimedFiles opens large archives that claim to list many files: memory is not taken for them. Without the bound it would
// be a terabyte.
func TestClaimedFiles(t *testing.T) {
	const size = 1 << 43
	for _, files := range []uint64{1 << 20, 1 << 37, 1<<64 - 1} {
		if _, err := New(large{size, end64(size, files, 0)}, size); err != errDirectory {
			t.Errorf("%d files: error %v", files, err)
		}
	}
}

// TestListedFiles opens archives that do list many files.
func TestListedFiles(t *testing.T) {
	for _, c := range []struct {
		files int
		want  error
	}{{0, nil}, {1, nil}, {70000, nil}, {100000, errDirectory}} { // above 65,535 files the numbers are in other places
		var out bytes.Buffer
		w := zip.NewWriter(&out)
		for range c.files {
			if _, err := w.CreateRaw(&zip.FileHeader{Name: "a"}); err != nil {
				t.Fatal(err)
			}
		}
		w.Close()
		z, err := New(bytes.NewReader(out.Bytes()), int64(out.Len()))
		if err != c.want || err == nil && len(z.File) != c.files {
			t.Errorf("%d files: error %v", c.files, err)
		}
	}
}

// TestReadFile reads what is there, and nothing else.
func TestReadFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.zip")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	content := bytes.Repeat([]byte("abc"), 5000)
	w := zip.NewWriter(f)
	for name, method := range map[string]uint16{"stored": zip.Store, "deflated": zip.Deflate} {
		member, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		member.Write(content)
	}
	for name, h := range map[string]zip.FileHeader{
		"false":      {Method: zip.Store, CompressedSize64: 10, UncompressedSize64: 15000},
		"impossible": {Method: zip.Deflate, CompressedSize64: 10, UncompressedSize64: 15000},
		"unknown":    {Method: 99, CompressedSize64: 100, UncompressedSize64: 15000},
	} {
		h.Name = name
		member, err := w.CreateRaw(&h)
		if err != nil {
			t.Fatal(err)
		}
		member.Write(content[:h.CompressedSize64])
	}
	w.Close()
	f.Close()
	a, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for _, c := range []struct {
		name string
		size int64
		want string
	}{
		{"stored", 15000, ""}, {"deflated", 15001, ""}, {"stored", 14999, "stored has 15000 bytes, needs at most 14999"}, {"deflated", 14999, "at most 14999"},
		{"false", 15000, "it has 10 bytes, which are not compressed"}, {"impossible", 15000, "10 compressed bytes, which hold 10320 at most"}, {"unknown", 15000, "unsupported"}, {"missing", 15000, "no file missing"},
	} {
		data, err := ReadFile(a.Reader, c.name, c.size)
		if c.want == "" && (err != nil || !bytes.Equal(data, content)) {
			t.Errorf("%s: %d bytes, error %v", c.name, len(data), err)
		}
		if c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
	if _, err := Open(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), "is a folder") {
		t.Errorf("a folder: error %v", err)
	}
}
