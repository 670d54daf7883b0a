package archive

import (
	"fmt"
	"io"
)

// CheckDeflated returns an error if deflate, as in zip, gzip and PNG, cannot compress size bytes to as few bytes as compressed.
func CheckDeflated(size, compressed uint64) error {
	// A run of 258 equal bytes takes two bits at least (RFC 1951), which is 1,032 bytes for each byte.
	const most, slack = 1032, 1 << 10
	if size > slack && (size-slack)/most > compressed {
		return fmt.Errorf("it claims %d bytes of data, but has %d compressed bytes, which hold %d at most", size, compressed, compressed*most)
	}
	return nil
}

// ReadExactly reads all of r, which must have exactly size bytes. It allocates memory for them at once, so the caller must first
// check that the file can have as many.
func ReadExactly(r io.Reader, size int64) ([]byte, error) {
	data := make([]byte, size)
	var got int64
	for got < size {
		n, err := r.Read(data[got:])
		got += int64(n)
		if err == io.EOF && got < size {
			return nil, CutShort(size, got)
		}
		if err != nil && err != io.EOF {
			return nil, err
		}
	}
	switch n, err := io.ReadFull(r, make([]byte, 1)); { // readers compare checksums at the end
	case n > 0:
		return nil, TooLong(size)
	case err != io.EOF:
		return nil, err
	}
	return data, nil
}

// CutShort returns the error that a file has fewer bytes of data than its header promises.
func CutShort(promised, has int64) error {
	return fmt.Errorf("the file is cut short: its header promises %d bytes of data, it has %d", promised, has)
}

// TooLong returns the error that a file has more bytes of data than its header promises.
func TooLong(promised int64) error {
	return fmt.Errorf("the file is longer than the %d bytes of data that its header promises", promised)
}
