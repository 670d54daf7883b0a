package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestCheckTriesAll lets each kind of step fail that writing a file with another one beside it takes: it is told, and nothing is left.
func TestCheckTriesAll(t *testing.T) {
	for _, doing := range []Operation{MakingTemporary, Locking, Creating, Syncing, Closing, Moving} {
		folder := t.TempDir()
		end := Intercept(func(s Step) error {
			if s.Doing == doing {
				return syscall.EDQUOT
			}
			return nil
		})
		err := Check(filepath.Join(folder, "file"))
		end()
		if !errors.Is(err, syscall.EDQUOT) {
			t.Errorf("%s fails: got error %v", doing, err)
		}
		if got := list(t, folder); len(got) > 0 {
			t.Errorf("%s fails: %q is left", doing, got)
		}
	}
	folder := t.TempDir()
	end := Intercept(func(s Step) error {
		if s.Doing == Removing {
			return syscall.EIO
		}
		return nil
	})
	err := Check(filepath.Join(folder, "file"))
	end()
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("what was tried cannot be removed: got error %v", err)
	}
}

// TestCommitFails lets the parts of a commit fail of a file with another one: the old ones are as they were, and nothing else is left.
func TestCommitFails(t *testing.T) {
	broken := errors.New("broken")
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	old, err := writeBoth(path, "old", nil)
	if err != nil {
		t.Fatal(err)
	}
	check := func(name string, err, want error) {
		t.Helper()
		if !errors.Is(err, want) {
			t.Errorf("%s: got error %v", name, err)
		}
		if data, err := os.ReadFile(path); err != nil || string(data) != old {
			t.Errorf("%s: the file has %q, %v", name, data, err)
		}
		if got := list(t, folder); len(got) != 2 || !isThere(filepath.Join(folder, old)) {
			t.Errorf("%s: there is %q", name, got)
		}
	}
	_, err = writeBoth(path, "new", func() ([]string, error) { return nil, broken })
	check("it is not known what is obsolete", err, broken)

	if runtime.GOOS == "windows" {
		return // folders have no locks
	}
	defer func(longest time.Duration) { longestCommit = longest }(longestCommit)
	unlock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	longestCommit = time.Millisecond
	_, err = writeBoth(path, "new", nil)
	if err == nil || !strings.Contains(err.Error(), "another process has been saving files in "+folder) {
		t.Errorf("another process is at it: got error %v", err)
	}
	check("another process is at it", err, err)
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

// TestStaleWaits has a folder with a commit that was cut off, while another process puts files in their places: it is finished later.
func TestStaleWaits(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no locks for folders")
	}
	folder := t.TempDir()
	left, obsolete := filepath.Join(folder, ".rcfreeze-0123456789abcdef"), filepath.Join(folder, "file.0123456789ab.data")
	err := os.Mkdir(left, 0o700)
	for path, content := range map[string]string{
		filepath.Join(left, lockFile): "", filepath.Join(left, noteFile): `{"Place":"file","Obsolete":["file.0123456789ab.data"]}`, obsolete: "old",
	} {
		err = errors.Join(err, os.WriteFile(path, []byte(content), 0o600))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func(longest time.Duration) { longestCommit = longest }(longestCommit)
	unlock, err := lockFolder(folder)
	if err != nil {
		t.Fatal(err)
	}
	longestCommit = time.Millisecond
	if err := Write(filepath.Join(folder, "next"), text("x")); err != nil || !isThere(left) || !isThere(obsolete) {
		t.Errorf("while another process is at it: error %v, what is left is there: %v, what is obsolete: %v", err, isThere(left), isThere(obsolete))
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	longestCommit = time.Minute
	if err := Write(filepath.Join(folder, "next"), text("x")); err != nil || isThere(left) || isThere(obsolete) {
		t.Errorf("afterwards: error %v, what is left is there: %v, what is obsolete: %v", err, isThere(left), isThere(obsolete))
	}
}

// TestDoubtfulCommit lets the sync of a folder fail after the rename which commits a file: it is not sure that the new one stays, so
// what the old one needs must stay, too, until the next one is written.
func TestDoubtfulCommit(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	old, err := writeBoth(path, "old", nil)
	if err != nil {
		t.Fatal(err)
	}
	isMoved, failed := false, false
	end := Intercept(func(s Step) error {
		isMoved = isMoved || s.Doing == Moving && s.To == path
		if isMoved && !failed && s.Doing == SyncFolder {
			failed = true
			return syscall.EIO
		}
		return nil
	})
	with, err := writeBoth(path, "new", func() ([]string, error) { return []string{old}, nil })
	end()
	if !errors.Is(err, syscall.EIO) {
		t.Errorf("got error %v", err)
	}
	for _, name := range []string{old, with} {
		if !isThere(filepath.Join(folder, name)) {
			t.Errorf("%s is gone", name)
		}
	}
	if err := Write(filepath.Join(folder, "next"), text("x")); err != nil {
		t.Fatal(err)
	}
	if got := list(t, folder); len(got) != 3 || isThere(filepath.Join(folder, old)) {
		t.Errorf("in the end there is %q", got)
	}
}

// TestMove moves files to places with and without a file, and to where none can be.
func TestMove(t *testing.T) {
	for _, c := range []struct {
		name string
		put  func(from, to string) error
		ok   bool
	}{
		{"new", func(from, to string) error { return os.WriteFile(from, []byte("x"), 0o644) }, true},
		{"replaced", func(from, to string) error {
			return errors.Join(os.WriteFile(from, []byte("x"), 0o644), os.WriteFile(to, []byte("old"), 0o644))
		}, true},
		{"a folder is there", func(from, to string) error {
			return errors.Join(os.WriteFile(from, []byte("x"), 0o644), os.Mkdir(to, 0o755))
		}, false},
		{"nothing to move", func(from, to string) error { return nil }, false},
	} {
		folder := t.TempDir()
		from, to := filepath.Join(folder, "from"), filepath.Join(folder, "to")
		if err := c.put(from, to); err != nil {
			t.Fatal(err)
		}
		err := Move(from, to)
		if (err == nil) != c.ok || err != nil && !strings.Contains(err.Error(), "renaming a temporary file to "+to) {
			t.Errorf("%s: got error %v", c.name, err)
		}
		if data, err := os.ReadFile(to); c.ok && (err != nil || string(data) != "x" || isThere(from)) {
			t.Errorf("%s: there is %q, %v", c.name, data, err)
		}
	}
}

// TestRemove removes what is there and what is not; what cannot be removed is an error, which names it once.
func TestRemove(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := Remove(path); err != nil || isThere(path) {
			t.Errorf("got error %v, the file is there: %v", err, isThere(path))
		}
	}
	full := filepath.Join(folder, "full")
	if err := os.MkdirAll(filepath.Join(full, "a"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Remove(full); err == nil || !strings.HasPrefix(err.Error(), "removing "+full+": ") || strings.Count(err.Error(), full) != 1 || !isThere(full) {
		t.Errorf("a folder with something in it: got error %v", err)
	}
}

// TestTemporaryIsGone removes a temporary folder while it is in use: nothing can be written, and nothing is.
func TestTemporaryIsGone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	s, err := Begin(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(s.temporary.Path); err != nil {
		t.Fatal(err)
	}
	if err := s.Write(func(*File) error { return nil }); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("writing: got error %v", err)
	}
	if err := s.Commit(nil); !errors.Is(err, fs.ErrNotExist) || isThere(path) {
		t.Errorf("committing: got error %v", err)
	}
}

// TestPlaceTaken puts a folder in the place of a file after that was begun: the commit is an error, and leaves the folder alone. A
// file that came with it stays as long as nobody can say whether it is needed.
func TestPlaceTaken(t *testing.T) {
	for _, with := range []bool{false, true} {
		folder := t.TempDir()
		path := filepath.Join(folder, "file")
		s, err := Begin(path)
		if err != nil {
			t.Fatal(err)
		}
		if with {
			if _, err := s.WriteWith(func(f *File) (Sum, error) { return Sum{1}, text("with")(f) }); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Write(func(f *File) error { return text("x")(f) }); err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Join(path, "a"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.Commit(nil); !errors.Is(err, fs.ErrExist) && !errors.Is(err, syscall.EISDIR) {
			t.Errorf("with another: %v: got error %v", with, err)
		}
		if !isThere(filepath.Join(path, "a")) || with && !isThere(filepath.Join(folder, nameWith("file", Sum{1}))) {
			t.Errorf("with another: %v: there is %q", with, list(t, folder))
		}
		if err := errors.Join(os.RemoveAll(path), Write(filepath.Join(folder, "next"), text("x"))); err != nil {
			t.Fatal(err)
		}
		if got := list(t, folder); len(got) != 1 {
			t.Errorf("with another: %v: in the end there is %q", with, got)
		}
	}
}

// TestTargetKeepsNames has files in a folder that is a link: they are called as the user calls them.
func TestTargetKeepsNames(t *testing.T) {
	folder := t.TempDir()
	if err := errors.Join(os.Mkdir(filepath.Join(folder, "a"), 0o755), os.WriteFile(filepath.Join(folder, "a", "file"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("a", filepath.Join(folder, "link")); err != nil {
		t.Skip("needs links: ", err)
	}
	for _, name := range []string{"file", "new"} {
		path := filepath.Join(folder, "link", name)
		if got, err := Target(path); err != nil || got != path {
			t.Errorf("%s: got %s, %v", path, got, err)
		}
	}
}

// TestTargetOfLinks follows links, by names from where each is, also to files that are still to be made.
func TestTargetOfLinks(t *testing.T) {
	folder := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(folder, "a", "b"), 0o755), os.WriteFile(filepath.Join(folder, "a", "file"), nil, 0o644)); err != nil {
		t.Fatal(err)
	}
	for i, c := range []struct{ link, want string }{
		{"file", "a/file"},
		{"new", "a/new"},
		{"b/new", "a/b/new"},
		{"../new", "new"},
		{filepath.Join(folder, "new"), "new"},
		{filepath.Join(folder, "a", "file"), "a/file"},
	} {
		link := filepath.Join(folder, "a", fmt.Sprint("link", i))
		if err := os.Symlink(c.link, link); err != nil {
			t.Skip("needs links: ", err)
		}
		real, err := filepath.EvalSymlinks(folder)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Target(link)
		if got = filepath.Clean(got); err != nil || got != filepath.Join(real, c.want) && got != filepath.Join(folder, c.want) {
			t.Errorf("a link to %s: got %s, %v, want %s", c.link, got, err, c.want)
		}
	}
}

// TestMissingFolder names a folder that is not there, and what it must be.
func TestMissingFolder(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "gone")
	for name, f := range map[string]func(path string) error{
		"Check": Check,
		"Write": func(path string) error { return Write(path, text("x")) },
	} {
		err := f(filepath.Join(folder, "file"))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "opening the folder "+folder+", which must exist") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}
