// Package plainfile opens only regular files for reading, because reading from a pipe may block forever, and reading from a
// device may never end.
package plainfile

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Open opens a file for reading, and returns its os.FileInfo. It follows links. It fails, without waiting, if path is not a
// regular file, but for example a folder, a pipe or a device; see [Check].
func Open(path string) (*os.File, os.FileInfo, error) {
	info, err := os.Stat(path) // before opening, because only opening some devices already has an effect
	if err == nil {
		err = Check(path, info)
	}
	if err != nil {
		return nil, nil, err
	}
	// If a pipe has replaced the file meanwhile, opening it must not block.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	if info, err = f.Stat(); err == nil {
		err = Check(path, info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}

// Check returns an error that says what is at path, if it is not a regular file. info is the result of os.Stat for path.
func Check(path string, info os.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return fmt.Errorf("%s is a folder: name a file in it", path)
	default:
		return fmt.Errorf("%s is %s, not a file, and only files are read here", path, Kind(mode))
	}
}

// Kind says what is at a path that is neither a file nor a folder.
func Kind(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "something special"
}

// Read reads a whole regular file of at most most bytes.
func Read(path string, most int64) ([]byte, error) {
	f, info, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, needs at most %d: it is damaged, or another kind of file", path, info.Size(), most)
	}
	data := make([]byte, info.Size())
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("reading %d bytes of %s: %w", len(data), path, err)
	}
	return data, nil
}
