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

// note says what a commit does beside giving the staged file its place. It is in the temporary folder from before the first change
// until all is done, so that another process can finish what a killed one began.
type note struct {
	Place    string   // the name of the file that is committed
	Added    []string // the files that come with it: if it does not get its place, they go
	Obsolete []string // the files that came with the one that it replaces: if it gets its place, they go
}

const noteFile = "note"

// leave writes the note, unless there is nothing to say.
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

// finish ends a commit that was done, failed, or was cut off, in the folder of the place. A file that the one at the place mentions
// stays in any case. The note may go only when it is sure that they do not come back.
func (n note) finish(temporary, folder string) error {
	needless := n.Obsolete
	if isThere(filepath.Join(temporary, stagedFile)) { // it did not get its place
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

// isSound reports whether the note is about files in the folder of the place that come with the file there, and no others.
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
		return nil // it was not complete, so nothing had been done yet, or it is not ours: anyone can make a folder of that name
	}
	folder := filepath.Dir(temporary)
	unlock, err := lockFolder(folder)
	if err != nil {
		return err
	}
	defer unlock()
	return n.finish(temporary, folder)
}

// lockFolder keeps other processes from committing files with others in the folder, so that none removes what another one
// needs. Where a file system has no locks for folders, nothing does.
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
