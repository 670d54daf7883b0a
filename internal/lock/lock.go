// Package lock makes sure that only one process at a time works in a folder.
package lock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/gofrs/flock"
	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// Name is the name of a file in a locked folder. The file says which process works there. What counts is the system's lock on the
// file, which ends with the process: a file that is left behind locks nothing.
const Name = "lock"

// Lock is this process's hold on a folder.
type Lock struct {
	// Warning, if not "", says that the folder is not locked, because its file system has no locks.
	Warning string
	file    *flock.Flock
	made    string // the folder, if Folder created it, otherwise ""
}

// try locks a file, unless another process has locked it, until the file is closed or the process ends.
var try = (*flock.Flock).TryLock

// Folder creates a folder, if necessary, and locks it. If another process has locked it, Folder does not wait, and the error says
// which process.
func Folder(path string) (*Lock, error) {
	l := &Lock{}
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		l.made = path
	}
	if err := atomicfile.MakeFolder(path); err != nil {
		return nil, err
	}
	for {
		l.file = flock.New(filepath.Join(path, Name), flock.SetPermissions(0o644))
		switch isFree, err := try(l.file); {
		case err != nil && atomicfile.HasNoLocks(err):
			l.Warning = fmt.Sprintf("%s cannot be locked on its file system: make sure that no other process works in it", path)
			return l, l.remove()
		case err != nil:
			return nil, errors.Join(fmt.Errorf("locking the folder %s: %w", path, err), l.file.Close())
		case !isFree:
			return nil, errors.Join(fmt.Errorf("%s is at work in %s: wait until it ends, stop it, or choose another folder", l.holder(), path), l.file.Close())
		}
		if l.isThere() {
			break
		}
		l.file.Close() // its last holder has removed it
	}
	l.sign()
	return l, nil
}

// isThere reports whether the file is still in the folder. A removed file locks nobody out.
func (l *Lock) isThere() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.file.Path())
	return err == nil && os.SameFile(mine, there)
}

// sign writes to the file which process holds the lock. The lock also works without that.
func (l *Lock) sign() {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown computer"
	}
	os.WriteFile(l.file.Path(), fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0o644)
}

// holder returns which process holds the lock, as the file says. The file may still be empty.
func (l *Lock) holder() string {
	text, err := os.ReadFile(l.file.Path())
	line, _, whole := strings.Cut(string(text), "\n")
	if err != nil || !whole {
		return "another process"
	}
	return line
}

// Release unlocks the folder. If Folder created it and it is empty, Release removes it.
func (l *Lock) Release() error {
	var err error
	if l.Warning == "" {
		err = l.remove()
	}
	if l.made != "" {
		os.Remove(l.made) // fails if there is something in it
	}
	return err
}

// remove removes the file before it unlocks it, so that another process that has it open sees that it is no longer there.
func (l *Lock) remove() error {
	var err error
	if l.isThere() {
		err = os.Remove(l.file.Path())
	}
	return errors.Join(err, l.file.Close())
}
