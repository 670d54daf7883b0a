package atomicfile

import (
	"errors"
	"io"
	"os"
)

// Write writes a file, and moves it to Target(path) when it is complete.
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

// Check returns an error if it is already clear that files cannot be written to a path, or beside it.
func Check(path string) error {
	s, err := Begin(path)
	if err != nil {
		return err
	}
	_, err = s.WriteWith(func(*File) (Sum, error) { return Sum{}, nil })
	return errors.Join(err, s.Abandon())
}

// Move moves a file on the same disk, and replaces an existing file. The move is durable at the latest when the next file in its
// new folder is.
func Move(from, to string) error { return move(from, to, to) }

// Remove removes a file, if it is there.
func Remove(path string) error { return remove(path, path) }

// File is a staged file that is being written.
type File struct {
	file *os.File
	name string // its name in messages
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
