package atomicfile

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gofrs/flock"
)

// note says what a commit does besides moving the staged file to its place. It is in the temporary folder from before the first
// change until everything is done, so that another process can finish the commit if this one is killed.
type note struct {
	Place    string   // the name of the file that is committed
	Added    []string // the files that belong to it; they are removed if it does not get its place
	Obsolete []string // the files of the one that it replaces; they are removed if it gets its place
}

const noteFile = "note"

// leave writes the note, unless it is empty.
func (s *Stage) leave(n note) error {
	if len(n.Added) == 0 && len(n.Obsolete) == 0 {
		return nil
	}
	text, err := json.Marshal(n)
	if err != nil {
		return err
	}
	return s.create(s.staged(noteFile), func(f *File) error {
		_, err := f.Write(text)
		return err
	})
}

// finish cleans up after a commit that succeeded, failed or was interrupted, in the folder of the place. A file that the file at
// the place mentions always stays. The note may be removed only when the removals are durable.
func (n note) finish(temporary, folder string) error {
	needless := n.Obsolete
	if isThere(filepath.Join(temporary, stagedFile)) { // the staged file did not get its place
		needless = n.Added
	}
	if len(needless) == 0 {
		return nil
	}
	var problems []error
	for _, name := range needless {
		isNeeded, err := mentions(filepath.Join(folder, n.Place), name)
		if err == nil && !isNeeded {
			path := filepath.Join(folder, name)
			err = remove(path, path)
		}
		problems = append(problems, err)
	}
	return errors.Join(append(problems, syncFolderAt(folder))...)
}

// isSound reports whether the note names only files that belong to the file at the place, and are in its folder.
func (n note) isSound() bool {
	for _, name := range slices.Concat(n.Added, n.Obsolete) {
		if n.Place != filepath.Base(n.Place) || !IsWith(n.Place, name) {
			return false
		}
	}
	return true
}

// finishStale finishes the commit that a killed process began, if there was one.
func finishStale(temporary string) error {
	text, err := os.ReadFile(filepath.Join(temporary, noteFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var n note
	if json.Unmarshal(text, &n) != nil || !n.isSound() {
		return nil // the note is incomplete, so nothing had been done yet; or someone else made this folder
	}
	folder := filepath.Dir(temporary)
	unlock, err := lockFolder(folder)
	if err != nil {
		return err
	}
	defer unlock()
	return n.finish(temporary, folder)
}

// lockFolder keeps other processes from committing files in the folder, so that none removes files that another one needs. It has
// no effect if the file system has no locks for folders.
func lockFolder(folder string) (unlock func() error, err error) {
	l := flock.New(folder, flock.SetFlag(os.O_RDONLY))
	ctx, cancel := context.WithTimeout(context.Background(), longestCommit)
	defer cancel()
	if _, err := l.TryLockContext(ctx, 5*time.Millisecond); errors.Is(err, context.DeadlineExceeded) {
		return nil, errors.Join(fmt.Errorf("another process has been saving files in %s for %v: look for one that hangs, and stop it", folder, longestCommit), l.Close())
	}
	return l.Close, nil
}

var longestCommit = 5 * time.Minute // a test cannot wait so long

func isThere(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
