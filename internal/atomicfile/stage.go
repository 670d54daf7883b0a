package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Stage is a file in a temporary folder beside its final place, perhaps together with other files that it names. It can be tried
// there before Commit moves it.
type Stage struct {
	path      string // the place
	name      string // what messages call it
	temporary *Temporary
	with      []string // the names of the files that belong to it

	isKept bool        // it will be synced and moved to its place
	folder *os.File    // the folder of the place, to be synced; nil if that is not possible
	mode   fs.FileMode // of the file that is replaced, 0 if there is none
}

// The name of the staged file in its temporary folder. Files that belong to it have their final names there.
const stagedFile = "staged"

// Begin begins a file that Commit will move to Target(path).
func Begin(path string) (*Stage, error) {
	path, err := Target(path)
	if err != nil {
		return nil, err
	}
	s := &Stage{path: path, name: path, isKept: true}
	if info, err := os.Lstat(path); err == nil {
		s.mode = info.Mode().Perm()
	}
	if s.folder, err = openFolder(filepath.Dir(path)); err != nil {
		return nil, err
	}
	if s.temporary, err = NewTemporary(filepath.Dir(path)); err != nil {
		return nil, errors.Join(err, s.closeFolder())
	}
	return s, nil
}

// BeginTemporary begins a file that stays temporary: it is not synced, has no final place, and exists until Abandon. It also
// removes such files of killed processes.
func BeginTemporary() (*Stage, error) {
	folder := os.TempDir()
	t, err := NewTemporary(folder)
	if err != nil {
		return nil, err
	}
	return &Stage{path: filepath.Join(folder, "temporary"), name: "a temporary file in " + folder, temporary: t}, nil
}

// Place returns the final path of the file.
func (s *Stage) Place() string { return s.path }

// Path returns the path of the complete file in the temporary folder. It is valid until Commit.
func (s *Stage) Path() string { return s.staged(stagedFile) }

func (s *Stage) staged(name string) string { return filepath.Join(s.temporary.Path, name) }

func (s *Stage) beside(name string) string { return filepath.Join(filepath.Dir(s.path), name) }

// Write writes the file.
func (s *Stage) Write(write func(*File) error) error {
	return s.create(s.Path(), write)
}

// WriteWith writes a file that belongs to the staged one, and returns its final name. The name depends on the checksum of the
// content, which write returns, so a file that another file needs is never replaced.
func (s *Stage) WriteWith(write func(*File) (Sum, error)) (name string, err error) {
	var sum Sum
	unnamed := s.staged("unnamed")
	err = s.create(unnamed, func(f *File) (err error) {
		sum, err = write(f)
		return err
	})
	if err != nil {
		return "", err
	}
	for {
		name = nameWith(filepath.Base(s.path), sum)
		isFree, err := mayBe(s.beside(name), unnamed)
		if err != nil {
			return "", err
		}
		if isFree {
			break
		}
		sum = sum.next()
	}
	s.with = append(s.with, name)
	return name, move(unnamed, s.staged(name), s.beside(name))
}

// mayBe reports whether nothing is at path, or a file with the same content as other.
func mayBe(path, other string) (bool, error) {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil || !info.Mode().IsRegular() {
		return false, err
	}
	return haveSameContent(path, other)
}

// create writes a file in the temporary folder.
func (s *Stage) create(path string, write func(*File) error) error {
	f := &File{name: s.name}
	err := do(Step{Doing: Creating, Path: path, Name: s.name}, func() (err error) {
		f.file, err = os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o666)
		return err
	})
	if err != nil {
		return err
	}
	if err = s.setMode(f); err == nil {
		err = write(f)
	}
	if err == nil && s.isKept {
		err = f.do(Syncing, f.file.Sync)
	}
	return errors.Join(err, f.do(Closing, f.file.Close))
}

// setMode gives a file the mode of the file that is replaced. Files that belong to the staged one also get this mode.
func (s *Stage) setMode(f *File) error {
	info, err := f.file.Stat()
	if err != nil || s.mode == 0 || s.mode == info.Mode().Perm() {
		return err
	}
	return f.do(SettingMode, func() error { return f.file.Chmod(s.mode) })
}

// Commit moves the files to their places, the staged file last. Then it removes obsolete files: those beside the place whose
// names the function obsolete returns, unless the file at the place still names them. The function may be nil. After an error, or
// if the process is killed, the place has the old file or the new one, with all files that belong to it.
func (s *Stage) Commit(obsolete func() ([]string, error)) error {
	err := s.commit(obsolete)
	isThere := s.isCommitted()
	err = errors.Join(err, s.Abandon())
	if err != nil && isThere {
		return fmt.Errorf("%s is written, but what comes after that failed: %w", s.path, err)
	}
	return err
}

func (s *Stage) commit(obsolete func() ([]string, error)) error {
	if len(s.with) == 0 && obsolete == nil {
		return s.moveStaged()
	}
	unlock, err := lockFolder(filepath.Dir(s.path))
	if err != nil {
		return err
	}
	defer unlock()
	n := note{Place: filepath.Base(s.path)}
	if n.Added, err = s.missing(); err != nil {
		return err
	}
	if obsolete != nil {
		if n.Obsolete, err = obsolete(); err != nil {
			return err
		}
	}
	if err := s.leave(n); err != nil {
		return err
	}
	if err = s.move(n.Added); err == nil {
		err = s.moveStaged()
	}
	if err != nil && s.isCommitted() {
		s.temporary.giveUp() // the change may not be durable, so nothing may be removed yet
		return err
	}
	if unfinished := n.finish(s.temporary.Path, filepath.Dir(s.path)); unfinished != nil {
		s.temporary.giveUp()
		return errors.Join(err, unfinished)
	}
	return err
}

// missing returns which of the files that belong to the staged one do not exist yet. It syncs the others.
func (s *Stage) missing() (names []string, err error) {
	for _, name := range s.with {
		path := s.beside(name)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			names = append(names, name)
			continue
		}
		switch isSame, err := mayBe(path, s.staged(name)); {
		case err != nil:
			return nil, err
		case !isSame:
			return nil, fmt.Errorf("another process wrote %s at the same moment: try again", path)
		}
		if err := syncFile(path); err != nil {
			return nil, err
		}
	}
	return names, nil
}

// move moves files that belong to the staged one to their places.
func (s *Stage) move(names []string) error {
	for _, name := range names {
		if err := move(s.staged(name), s.beside(name), s.beside(name)); err != nil {
			return err
		}
	}
	if len(names) == 0 {
		return nil
	}
	return syncFolder(s.folder, filepath.Dir(s.path))
}

// moveStaged moves the staged file to its place.
func (s *Stage) moveStaged() error {
	if err := move(s.Path(), s.path, s.path); err != nil {
		return err
	}
	return syncFolder(s.folder, filepath.Dir(s.path))
}

func (s *Stage) isCommitted() bool { return !isThere(s.Path()) }

// Abandon removes the temporary folder. After Commit it does nothing.
func (s *Stage) Abandon() error {
	return errors.Join(s.temporary.Remove(), s.closeFolder())
}

func (s *Stage) closeFolder() error {
	if s.folder == nil {
		return nil
	}
	folder := s.folder
	s.folder = nil
	return folder.Close()
}
