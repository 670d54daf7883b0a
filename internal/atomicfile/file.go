package atomicfile

import (
	"errors"
	"io"
	"os"
)

// Write writes a file that takes the place that Target tells for path once it is complete.
func Write(path string, write func(io.Writer) error) error {
	s, err := Begin(path)
	if err != nil {
		return err
	}
	if err := s.Write(func(f *File) error { return write(f) }); err != nil {
		return errors.Join(err, s.Abandon())
	}
	return s.Commit(nil)
}

// Check tells whether files can be written to a path, and beside it, as far as that is known before it is done.
func Check(path string) error {
	s, err := Begin(path)
	if err != nil {
		return err
	}
	_, err = s.WriteWith(func(*File) (Sum, error) { return Sum{}, nil })
	return errors.Join(err, s.Abandon())
}

// Move gives a file another place on the same disk, and replaces what is there. It stays there at the latest when the next file of
// its new folder does.
func Move(from, to string) error { return move(from, to, to) }

// Remove removes a file, if it is there.
func Remove(path string) error { return remove(path, path) }

// File is what a staged file is written to.
type File struct {
	file *os.File
	name string // what messages call it
}

// Write appends to the file.
func (f *File) Write(p []byte) (n int, err error) {
	err = f.do(Writing, func() error { n, err = f.file.Write(p); return err })
	return n, err
}

// WriteAt writes at an offset.
func (f *File) WriteAt(p []byte, offset int64) (n int, err error) {
	err = f.do(Writing, func() error { n, err = f.file.WriteAt(p, offset); return err })
	return n, err
}

func (f *File) do(what Operation, step func() error) error {
	return do(Step{Doing: what, Path: f.file.Name(), Name: f.name}, step)
}
