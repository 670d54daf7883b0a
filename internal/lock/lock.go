// Package lock keeps a second process out of a folder that one is at work in.
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

// Name is that of the file in a locked folder. It says who is at work there; what counts is the lock that the system holds on it,
// which ends with the process. A file that is left behind does not lock anything.
const Name = "lock"

// Lock is this process's hold on a folder.
type Lock struct {
	// Warning, if not "", says that the folder is not locked, since its file system has no locks.
	Warning string
	file    *flock.Flock
	made    string // the folder, if it was made for the lock, else ""
}

// try locks a file, if no other process has, until it is closed or the process ends.
var try = (*flock.Flock).TryLock

// Folder makes a folder, if it is not there, and locks it. The error says who holds it, if someone does: it does not wait.
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

// isThere reports whether the file is still in the folder: what was removed locks nobody out.
func (l *Lock) isThere() bool {
	mine, err := l.file.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(l.file.Path())
	return err == nil && os.SameFile(mine, there)
}

// sign writes into the file who holds it. Without it, the lock holds all the same.
func (l *Lock) sign() {
	host, err := os.Hostname()
	if err != nil {
		host = "an unknown computer"
	}
	os.WriteFile(l.file.Path(), fmt.Appendf(nil, "process %d on %s\n", os.Getpid(), host), 0o644)
}

// holder returns who holds the lock by what the file says, which may not say it yet.
func (l *Lock) holder() string {
	text, err := os.ReadFile(l.file.Path())
	line, _, whole := strings.Cut(string(text), "\n")
	if err != nil || !whole {
		return "another process"
	}
	return line
}

// Release gives the folder free. One that was made for the lock goes, too, if nothing else is in it.
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

// remove removes the file before it is unlocked: another process that has it open finds that it is not there any more.
func (l *Lock) remove() error {
	var err error
	if l.isThere() {
		err = os.Remove(l.file.Path())
	}
	return errors.Join(err, l.file.Close())
}
