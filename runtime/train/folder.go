package train

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/lock"
)

// Folder is the folder for a run's files. It has the best checkpoint, the last one, and the one before, from which a run
// continues if the last one is damaged. Each file is a full copy, so damage to one of them leaves the others intact.
type Folder string

func (f Folder) last() string     { return filepath.Join(string(f), "last.ckpt") }
func (f Folder) previous() string { return filepath.Join(string(f), "previous.ckpt") }
func (f Folder) best() string     { return filepath.Join(string(f), "best.ckpt") }
func (f Folder) metrics() string  { return filepath.Join(string(f), "metrics.csv") }

// checkpoints returns the files from which a run can continue, in the order in which to try them.
func (f Folder) checkpoints() []string { return []string{f.last(), f.previous(), f.best()} }

// HasRun reports whether the folder holds a run that can be resumed.
func (f Folder) HasRun() bool {
	for _, path := range f.checkpoints() {
		if _, err := os.Stat(path); err == nil {
			return true
		}
	}
	return false
}

// HasWork reports whether the folder holds a run that did at least one step, or one that cannot be read.
func (f Folder) HasWork() bool {
	for _, path := range f.checkpoints() {
		c, err := describeCheckpoint(path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) || err == nil && c.Position != (position{}) {
			return true
		}
	}
	return false
}

// Check returns an error, before any work is done, if a run in the folder would be refused, because another process uses the
// folder, or because it holds the work of another run and resume is false. The folder need not exist yet.
func (f Folder) Check(resume bool) error {
	if _, err := os.Stat(string(f)); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	held, err := f.take(resume)
	if err != nil {
		return err
	}
	return held.Release()
}

// take creates the folder, and locks it against other processes until the lock is released.
func (f Folder) take(resume bool) (*lock.Lock, error) {
	held, err := lock.Folder(string(f))
	if err != nil {
		return nil, fmt.Errorf("starting a run: %w", err)
	}
	if !resume && f.HasWork() {
		err := fmt.Errorf("starting a run in %s: it already holds a run: continue that with --resume, or choose another folder, or empty this one", f)
		return nil, errors.Join(err, held.Release())
	}
	return held, nil
}

// clear removes the checkpoints of a run that did no steps, so that no later run mistakes one for its own.
func (f Folder) clear() error {
	for _, path := range f.checkpoints() {
		if err := atomicfile.Remove(path); err != nil {
			return fmt.Errorf("making room for a new run: %w", err)
		}
	}
	return nil
}

// newest returns the checkpoint to continue from: the last one or, if that is damaged or missing, the one before. It also returns
// the faults of the checkpoints that it could not use.
func (f Folder) newest() (c *checkpoint, path string, faults error) {
	for _, path := range f.checkpoints() {
		c, err := loadCheckpoint(path)
		switch {
		case err == nil:
			return c, path, faults
		case !errors.Is(err, errDamaged) && !errors.Is(err, fs.ErrNotExist):
			return nil, "", errors.Join(faults, err) // the file may be intact: the user should know before it is replaced
		}
		if path == f.last() || !errors.Is(err, fs.ErrNotExist) {
			faults = errors.Join(faults, err)
		}
	}
	return nil, "", faults
}

// saveLast saves a checkpoint as the last one. The old last one, if it is intact, becomes the previous one. If the process is
// killed at any point, at least one of them is left.
func (f Folder) saveLast(c *checkpoint, whole bool) error {
	next, err := atomicfile.Begin(f.last())
	if err != nil {
		return fmt.Errorf("writing checkpoint %s: %w", f.last(), err)
	}
	err = next.Write(func(file *atomicfile.File) error { return c.write(file) })
	if err == nil && whole {
		err = atomicfile.Move(f.last(), f.previous())
	}
	if err != nil {
		err = errors.Join(err, next.Abandon())
	} else {
		err = next.Commit(nil)
	}
	if err != nil {
		return fmt.Errorf("writing checkpoint %s: %w", f.last(), err)
	}
	return nil
}
