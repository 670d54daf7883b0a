package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Stage is a file that is complete but has not taken its place yet, and perhaps files that come with it, which it names. They are
// in a temporary folder beside its place, to be tried there.
type Stage struct {
	path      string // the place
	name      string // what messages call it
	temporary *Temporary
	with      []string // the names of the files that come with it

	isKept bool        // whether it is to be synced and to get its place
	folder *os.File    // of the place, to be synced; nil where that cannot be done
	mode   fs.FileMode // of the file that is replaced, 0 if there is none
}

// The staged file in its temporary folder. Those that come with it have the names there that they will have beside it.
const stagedFile = "staged"

// Begin begins a file that is to take the place that Target tells for a path.
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

// BeginTemporary begins a file that gets no place, is not synced, and is there until Abandon. What a killed process left of such
// files goes when another one begins one.
func BeginTemporary() (*Stage, error) {
	folder := os.TempDir()
	t, err := NewTemporary(folder)
	if err != nil {
		return nil, err
	}
	return &Stage{path: filepath.Join(folder, "temporary"), name: "a temporary file in " + folder, temporary: t}, nil
}

// Place returns where the file belongs.
func (s *Stage) Place() string { return s.path }

// Path returns where the complete file is until Commit.
func (s *Stage) Path() string { return s.staged(stagedFile) }

func (s *Stage) staged(name string) string { return filepath.Join(s.temporary.Path, name) }

func (s *Stage) beside(name string) string { return filepath.Join(filepath.Dir(s.path), name) }

// Write writes the file.
func (s *Stage) Write(write func(*File) error) error {
	return s.create(s.Path(), write)
}

// WriteWith writes a file that comes with the staged one, and returns the name that it has beside it. The name is by the content,
// whose checksum write returns: so a file that another one needs is never replaced.
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

// mayBe reports whether nothing is at a path, or a file of the same content as another one.
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

// setMode gives a file the mode of the one that is replaced, which those have, too, that come with it.
func (s *Stage) setMode(f *File) error {
	info, err := f.file.Stat()
	if err != nil || s.mode == 0 || s.mode == info.Mode().Perm() {
		return err
	}
	return f.do(SettingMode, func() error { return f.file.Chmod(s.mode) })
}

// Commit gives the files their places, those that come with the staged one first. In the end it removes what is obsolete: the
// files beside the place whose names the function returns, and which the file at the place does not name any more. The function may be nil.
// If there is an error, or the process is killed, the file at the place is the old one or the new one, with all that comes with it.
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
		s.temporary.giveUp() // it is not certain that the change lasts, so nothing can be removed yet
		return err
	}
	if unfinished := n.finish(s.temporary.Path, filepath.Dir(s.path)); unfinished != nil {
		s.temporary.giveUp()
		return errors.Join(err, unfinished)
	}
	return err
}

// missing returns which of the files that come with the staged one are not there yet. The others are made sure to stay.
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

// move gives files that come with the staged one their places.
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

// moveStaged gives the staged file its place.
func (s *Stage) moveStaged() error {
	if err := move(s.Path(), s.path, s.path); err != nil {
		return err
	}
	return syncFolder(s.folder, filepath.Dir(s.path))
}

func (s *Stage) isCommitted() bool { return !isThere(s.Path()) }

// Abandon removes what is left of the temporary folder. After Commit it does nothing.
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
