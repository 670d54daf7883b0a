package atomicfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// Temporary is a folder for files that are not yet at their final places, or are needed only for a while. Its process holds a
// lock on it. If the lock is free, a killed process left the folder.
type Temporary struct {
	Path string
	lock *flock.Flock // nil after giveUp
}

// temporaryName matches the names of temporary folders. They are short, even if names of files are long.
var temporaryName = regexp.MustCompile(`^\.rcfreeze-[0-9a-f]{16}$`)

const lockFile = "lock"

// errGone says that another process removed a temporary folder before it was locked.
var errGone = errors.New("the temporary folder is gone")

// NewTemporary makes a temporary folder in the given folder, and removes those of killed processes of the same user.
func NewTemporary(folder string) (*Temporary, error) {
	RemoveStale(folder)
	for {
		t, err := makeTemporary(folder)
		if !errors.Is(err, errGone) {
			return t, err
		}
	}
}

func makeTemporary(folder string) (*Temporary, error) {
	t := &Temporary{Path: filepath.Join(folder, fmt.Sprintf(".rcfreeze-%016x", rand.Uint64()))}
	if err := do(Step{Doing: MakingTemporary, Path: t.Path, Name: folder}, func() error { return os.Mkdir(t.Path, 0o700) }); err != nil {
		return nil, err
	}
	t.lock = flock.New(filepath.Join(t.Path, lockFile))
	err := do(Step{Doing: Locking, Path: t.Path, Name: folder}, t.hold)
	if err != nil && !HasNoLocks(err) {
		return nil, errors.Join(err, t.Remove())
	}
	return t, nil
}

// hold makes the lock's file and locks it.
func (t *Temporary) hold() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute) // another process may test the lock for a moment
	defer cancel()
	_, err := t.lock.TryLockContext(ctx, time.Millisecond)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !isAt(t.lock, t.lock.Path()) {
		return errGone
	}
	return err
}

// HasNoLocks reports whether an error of locking says that the file system has no locks. Then no lock is needed, because no other
// process can find it free either.
func HasNoLocks(err error) bool {
	return errors.Is(err, errors.ErrUnsupported) || errors.Is(err, syscall.ENOLCK)
}

func isAt(l *flock.Flock, path string) bool {
	held, err := l.Stat()
	if err != nil {
		return false
	}
	there, err := os.Stat(path)
	return err == nil && os.SameFile(held, there)
}

// Remove removes the folder and what is in it. A second call does nothing.
func (t *Temporary) Remove() error {
	if t.lock == nil {
		return nil
	}
	err := t.empty()
	if err == nil {
		err = remove(filepath.Join(t.Path, lockFile), t.Path)
	}
	t.giveUp()
	if err == nil {
		err = remove(t.Path, t.Path)
	}
	return err
}

// empty removes the content of the folder, and the lock's file last: as long as anything is there, the lock says that it is in
// use.
func (t *Temporary) empty() error {
	entries, err := os.ReadDir(t.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == lockFile {
			continue
		}
		path := filepath.Join(t.Path, e.Name())
		if err := do(Step{Doing: Removing, Path: path, Name: t.Path}, func() error { return os.RemoveAll(path) }); err != nil {
			return err
		}
	}
	return nil
}

// giveUp leaves the content of the folder to the next process that writes there.
func (t *Temporary) giveUp() {
	t.lock.Close() // a lock that cannot be released ends with the process
	t.lock = nil
}

// RemoveStale removes the temporary folders of killed processes of the same user in a folder, as NewTemporary does. It ignores
// folders that it cannot remove, because they do not affect the current work.
func RemoveStale(folder string) {
	f, err := os.Open(folder)
	if err != nil {
		return // a later write to the folder will report the error
	}
	defer f.Close()
	for err == nil {
		var names []string
		names, err = f.Readdirnames(1000)
		for _, name := range names {
			if strings.HasPrefix(name, ".") && temporaryName.MatchString(name) {
				removeIfStale(filepath.Join(folder, name))
			}
		}
	}
}

func removeIfStale(path string) {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() || !isOf(os.Geteuid(), info) {
		return
	}
	l := flock.New(filepath.Join(path, lockFile), flock.SetFlag(os.O_RDONLY))
	switch isFree, err := l.TryLock(); {
	case errors.Is(err, fs.ErrNotExist): // its process was killed before it locked the folder, or after it emptied it
		os.Remove(path) // fails if there is something in it
	case isFree:
		t := &Temporary{path, l}
		if finishStale(path) != nil {
			t.giveUp()
			return
		}
		t.Remove()
	}
}
