package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"
	"syscall"
)

// Step is an operation that changes a disk.
type Step struct {
	Doing Operation
	Path  string // the file or folder, where it is now
	To    string // the new path, for Moving
	Name  string // its name in messages: the final path
}

// Operation is a kind of step, with its name in messages.
type Operation string

const (
	MakingTemporary Operation = "making a temporary folder in"
	Locking         Operation = "locking a temporary folder in"
	Creating        Operation = "creating"
	SettingMode     Operation = "setting the mode of"
	Writing         Operation = "writing"
	Syncing         Operation = "syncing"
	Closing         Operation = "closing"
	Moving          Operation = "renaming a temporary file to"
	SyncFolder      Operation = "syncing the folder"
	Removing        Operation = "removing"
)

var intercept atomic.Pointer[func(Step) error]

// Skipped is an error that the function of Intercept returns to skip a step as if it were done.
var Skipped = errors.New("skipped")

// Intercept calls before ahead of every step, until end is called. If before returns an error, the step fails with it and is not
// done. It is for tests, see package atomicfiletest. Several goroutines may call before at the same time.
func Intercept(before func(Step) error) (end func()) {
	intercept.Store(&before)
	return func() { intercept.Store(nil) }
}

// do performs a step. Its error says what could not be done.
func do(s Step, step func() error) error {
	var err error
	if before := intercept.Load(); before != nil {
		err = (*before)(s)
	}
	switch err {
	case Skipped:
		return nil
	case nil:
		err = step()
	}
	if err != nil {
		return fmt.Errorf("%s %s: %w", s.Doing, s.Name, cause(err))
	}
	return nil
}

// cause returns an error without the path, which may be that of a temporary file.
func cause(err error) error {
	var path *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &path):
		return path.Err
	case errors.As(err, &link):
		return link.Err
	}
	return err
}

// openFolder opens a folder to be synced. Windows cannot do that, and returns nil.
func openFolder(path string) (*os.File, error) {
	if runtime.GOOS == "windows" {
		return nil, nil
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening the folder %s, which must exist and be readable: %w", path, cause(err))
	}
	return f, nil
}

// syncFolder makes the names in a folder durable. Some file systems cannot do that, and return that the operation is not valid or
// not supported.
func syncFolder(f *os.File, path string) error {
	err := do(Step{Doing: SyncFolder, Path: path, Name: path}, func() error {
		if f == nil {
			return nil
		}
		return f.Sync()
	})
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	return err
}

// syncFolderAt is like syncFolder, for a folder that is not open.
func syncFolderAt(path string) error {
	f, err := openFolder(path)
	if err != nil {
		return err
	}
	err = syncFolder(f, path)
	if f != nil {
		err = errors.Join(err, f.Close())
	}
	return err
}

// syncFile makes the content of a file durable.
func syncFile(path string) error {
	if runtime.GOOS == "windows" {
		return nil // only a file that is open for writing can be synced
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(do(Step{Doing: Syncing, Path: path, Name: path}, f.Sync), f.Close())
}

// move renames a file.
func move(from, to, name string) error {
	return do(Step{Moving, from, to, name}, func() error { return os.Rename(from, to) })
}

// remove removes a file or an empty folder, if it is there.
func remove(path, name string) error {
	return do(Step{Doing: Removing, Path: path, Name: name}, func() error {
		if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		return nil
	})
}
