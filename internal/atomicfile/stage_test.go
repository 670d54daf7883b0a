package atomicfile

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
)

func text(s string) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := io.WriteString(w, s)
		return err
	}
}

// writeBoth writes a file and one that comes with it, by the content of which it is called.
func writeBoth(path, with string, obsolete func() ([]string, error)) (string, error) {
	s, err := Begin(path)
	if err != nil {
		return "", err
	}
	name, err := s.WriteWith(func(f *File) (Sum, error) { return sha256.Sum256([]byte(with)), text(with)(f) })
	if err == nil {
		err = s.Write(func(f *File) error { return text(name)(f) })
	}
	if err == nil {
		err = s.Commit(obsolete)
	}
	return name, errors.Join(err, s.Abandon())
}

func list(t *testing.T, folder string) []string {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestLongNames writes files with names of all lengths that a file system has. One that is too long is refused before anything is written.
func TestLongNames(t *testing.T) {
	for _, name := range []string{"a", strings.Repeat("a", 236), strings.Repeat("a", 237), strings.Repeat("a", 238), strings.Repeat("a", 245),
		strings.Repeat("a", 255), strings.Repeat("é", 127), "a" + strings.Repeat("é", 127), strings.Repeat("\xff", 255)} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Skipf("this file system has no names of %d bytes: %v", len(name), err)
		}
		with, err := writeBoth(path, "with", nil)
		if err := errors.Join(err, Check(path)); err != nil {
			t.Errorf("%d bytes: %v", len(name), err)
		}
		if got := list(t, filepath.Dir(path)); !slices.Contains(got, name) || !slices.Contains(got, with) || len(got) != 2 || !IsWith(name, with) {
			t.Errorf("%d bytes: there is %q", len(name), got)
		}
	}
	path := filepath.Join(t.TempDir(), strings.Repeat("a", 256))
	if err := Check(path); err == nil || !strings.Contains(err.Error(), "name too long") || len(list(t, filepath.Dir(path))) > 0 {
		t.Errorf("256 bytes: got error %v and %q", err, list(t, filepath.Dir(path)))
	}
}

func TestIsWith(t *testing.T) {
	long := strings.Repeat("a", 255)
	for _, c := range []struct {
		base, name string
		want       bool
	}{
		{"m.onnx", "m.onnx.0123456789ab.data", true},
		{"m.onnx", "m.onnx.0123456789AB.data", false},
		{"m.onnx", "m.onnx.0123456789abc.data", false},
		{"m.onnx", "m.onnx.0123456789a.data", false},
		{"m.onnx", "m.onnx.0123456789ab.dat", false},
		{"m.onnx", "m.onnx.data", false},
		{"m.onnx", "n.onnx.0123456789ab.data", false},
		{"m.onnx", "am.onnx.0123456789ab.data", false},
		{"m.onnx", "m.onnx0123456789ab.data", false},
		{"m", "m.onnx.0123456789ab.data", false},
		{"m.onnx", "m.onnx.0123456789ab.data.0123456789ab.data", false},
		{long, long[:237] + ".0123456789ab.data", true},
		{long, long[:236] + ".0123456789ab.data", false},
	} {
		if got := IsWith(c.base, c.name); got != c.want {
			t.Errorf("%q with %q: %v", c.name, c.base, got)
		}
	}
}

// TestWithIsNeverReplaced has something else where a file would be that comes with another one.
func TestWithIsNeverReplaced(t *testing.T) {
	for name, put := range map[string]func(path string) error{
		"other content":         func(path string) error { return os.WriteFile(path, []byte("else"), 0o644) },
		"other, longer content": func(path string) error { return os.WriteFile(path, []byte("with more"), 0o644) },
		"a folder":              func(path string) error { return os.Mkdir(path, 0o755) },
		"a link to nothing":     func(path string) error { return os.Symlink("gone", path) },
		"a link to the same": func(path string) error {
			return errors.Join(os.WriteFile(path+"x", []byte("with"), 0o644), os.Symlink(path+"x", path))
		},
		"the same":                func(path string) error { return os.WriteFile(path, []byte("with"), 0o644) },
		"a second one, and other": func(path string) error { return os.WriteFile(path, []byte("htiw"), 0o644) },
	} {
		path := filepath.Join(t.TempDir(), "file")
		usual := filepath.Join(filepath.Dir(path), nameWith("file", sha256.Sum256([]byte("with"))))
		if err := put(usual); err != nil {
			t.Fatal(err)
		}
		before, err := os.Lstat(usual)
		if err != nil {
			t.Fatal(err)
		}
		for range 2 { // the second time, it finds what it wrote
			with, err := writeBoth(path, "with", nil)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			if got, err := os.ReadFile(filepath.Join(filepath.Dir(path), with)); err != nil || string(got) != "with" {
				t.Errorf("%s: the file that comes with it has %q, %v", name, got, err)
			}
			if isUsual := with == filepath.Base(usual); isUsual != (name == "the same") {
				t.Errorf("%s: it is called %s", name, with)
			}
			if after, err := os.Lstat(usual); err != nil || !os.SameFile(before, after) || after.ModTime() != before.ModTime() {
				t.Errorf("%s: what was there is another file, or %v", name, err)
			}
		}
	}
}

// TestPlacesThatCannotBeSeen asks for what is below a file: the error is told.
func TestPlacesThatCannotBeSeen(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]func(path string) error{
		"Begin":           func(path string) error { _, err := Begin(path); return err },
		"Check":           Check,
		"Write":           func(path string) error { return Write(path, text("x")) },
		"mayBe":           func(path string) error { _, err := mayBe(path, file); return err },
		"haveSameContent": func(path string) error { _, err := haveSameContent(file, path); return err },
		"mentions":        func(path string) error { _, err := mentions(path, "x"); return err },
	} {
		if err := f(filepath.Join(file, "below")); !errors.Is(err, syscall.ENOTDIR) {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestHaveSameContent compares files that differ in one byte at every place where a piece begins or ends.
func TestHaveSameContent(t *testing.T) {
	folder := t.TempDir()
	put := func(name string, data []byte) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, size := range []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 2*pieceSize + 3} {
		data := bytes.Repeat([]byte{7}, size)
		a := put("a", data)
		if same, err := haveSameContent(a, put("b", data)); err != nil || !same {
			t.Errorf("%d bytes: the same is taken for other, or %v", size, err)
		}
		for _, at := range []int{0, pieceSize - 1, pieceSize, size - 1} {
			if at < 0 || at >= size {
				continue
			}
			other := slices.Clone(data)
			other[at]++
			if same, err := haveSameContent(a, put("b", other)); err != nil || same {
				t.Errorf("%d bytes, another one at %d: taken for the same, or %v", size, at, err)
			}
		}
		if same, err := haveSameContent(a, put("b", append(data, 7))); err != nil || same {
			t.Errorf("%d bytes: one more is taken for the same, or %v", size, err)
		}
	}
}

// TestMentions looks for a text at every place where a piece of a file begins or ends.
func TestMentions(t *testing.T) {
	const name = "m.onnx.0123456789ab.data"
	path := filepath.Join(t.TempDir(), "file")
	if found, err := mentions(path, name); err != nil || found {
		t.Errorf("no file: %v, %v", found, err)
	}
	for _, at := range []int{0, 1, pieceSize - len(name), pieceSize - len(name) + 1, pieceSize - 1, pieceSize, pieceSize + 1, 2*pieceSize - len(name) - 5} {
		data := append(make([]byte, at), name...)
		for _, more := range []int{0, 1, pieceSize} {
			for _, isCut := range []bool{false, true} {
				all := append(slices.Clone(data), make([]byte, more)...)
				if isCut {
					all[at+5] = 0
				}
				if err := os.WriteFile(path, all, 0o644); err != nil {
					t.Fatal(err)
				}
				if found, err := mentions(path, name); err != nil || found == isCut {
					t.Errorf("at %d of %d bytes, one changed %v: %v, %v", at, len(all), isCut, found, err)
				}
			}
		}
	}
}

// TestStale leaves all kinds of things in a folder: the next file that is written there removes what a killed process left, and
// nothing else.
func TestStale(t *testing.T) {
	const ours = ".rcfreeze-0123456789abcdef"
	folderWith := func(files ...string) func(path string) error {
		return func(path string) error {
			err := os.Mkdir(path, 0o700)
			for _, name := range files {
				err = errors.Join(err, os.WriteFile(filepath.Join(path, name), []byte("x"), 0o600))
			}
			return err
		}
	}
	for _, c := range []struct {
		what, name string
		put        func(path string) error
		isStale    bool
	}{
		{"killed while it wrote", ours, folderWith("lock", "staged"), true},
		{"killed with a file whose name it had", ours, folderWith("lock", "m.onnx.0123456789ab.data", "staged"), true},
		{"killed before it wrote", ours, folderWith("lock"), true},
		{"killed before it locked", ours, folderWith(), true},
		{"with half a note", ours, folderWith("lock", "staged", "note"), true},
		{"with a note that cannot be read", ours, func(path string) error {
			return errors.Join(folderWith("lock")(path), os.Mkdir(filepath.Join(path, "note"), 0o700))
		}, false},
		{"without a lock", ours, folderWith("staged"), false},
		{"a file", ours, func(path string) error { return os.WriteFile(path, nil, 0o600) }, false},
		{"a link to a folder", ours, func(path string) error {
			return errors.Join(os.Mkdir(path+".d", 0o700), os.WriteFile(filepath.Join(path+".d", "lock"), nil, 0o600), os.Symlink(path+".d", path))
		}, false},
		{"a shorter name", ours[:25], folderWith("lock"), false},
		{"a longer name", ours + "0", folderWith("lock"), false},
		{"another letter", ".rcfreeze-0123456789abcdeg", folderWith("lock"), false},
		{"a name that is not hidden", ours[1:], folderWith("lock"), false},
	} {
		t.Run(c.what, func(t *testing.T) {
			folder := t.TempDir()
			path := filepath.Join(folder, c.name)
			if err := c.put(path); err != nil {
				t.Fatal(err)
			}
			if c.isStale && slices.Contains(list(t, path), lockFile) { // as long as its process lives, it stays
				l := flock.New(filepath.Join(path, lockFile))
				if got, err := l.TryLock(); err != nil || !got {
					t.Fatal(got, err)
				}
				if err := Write(filepath.Join(folder, "file"), text("x")); err != nil || !isThere(path) {
					t.Errorf("it was removed though its process lives, or %v", err)
				}
				if err := l.Close(); err != nil {
					t.Fatal(err)
				}
			}
			if err := Write(filepath.Join(folder, "file"), text("x")); err != nil {
				t.Fatal(err)
			}
			if isThere(path) == c.isStale {
				t.Errorf("it is there: %v", !c.isStale)
			}
		})
	}
}

// TestLiveFilesStay has several files begun at a time in a folder: none removes what is another's.
func TestLiveFilesStay(t *testing.T) {
	folder := t.TempDir()
	var all []*Stage
	for i := range 4 {
		s, err := Begin(filepath.Join(folder, fmt.Sprint(i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(func(f *File) error { return text("x")(f) }); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	for _, s := range all {
		if err := s.Commit(nil); err != nil {
			t.Error(err)
		}
	}
	if got := list(t, folder); len(got) != 4 {
		t.Errorf("there is %q, want the 4 files", got)
	}
}

// TestSystemsWithoutAll has file systems that cannot sync a folder, or have no locks: what they have is used. Other errors are told.
func TestSystemsWithoutAll(t *testing.T) {
	for _, c := range []struct {
		doing Operation
		err   error
		isOK  bool
	}{
		{SyncFolder, syscall.EINVAL, true},
		{SyncFolder, syscall.ENOTSUP, true},
		{SyncFolder, syscall.EIO, false},
		{SyncFolder, syscall.ENOSPC, false},
		{Syncing, syscall.EINVAL, false},
		{Locking, syscall.ENOLCK, true},
		{Locking, syscall.ENOSYS, true},
		{Locking, syscall.EIO, false},
	} {
		folder := t.TempDir()
		end := Intercept(func(s Step) error {
			if s.Doing == c.doing {
				return c.err
			}
			return nil
		})
		err := Write(filepath.Join(folder, "file"), text("x"))
		end()
		if (err == nil) != c.isOK || err != nil && !errors.Is(err, c.err) {
			t.Errorf("%s: %v gives %v", c.doing, c.err, err)
		}
		for _, name := range list(t, folder) {
			if name != "file" {
				t.Errorf("%s: %v leaves %s", c.doing, c.err, name)
			}
		}
	}
}

// TestTemporary begins files that get no place.
func TestTemporary(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the folder for temporary files is named by another variable")
	}
	folder := t.TempDir()
	t.Setenv("TMPDIR", folder)
	s, err := BeginTemporary()
	if err != nil {
		t.Fatal(err)
	}
	defer Intercept(func(s Step) error {
		if s.Doing == Syncing || s.Doing == SyncFolder {
			t.Errorf("%s %s: takes long, and nobody needs it", s.Doing, s.Name)
		}
		return nil
	})()
	if err := s.Write(func(f *File) error { return text("x")(f) }); err != nil {
		t.Fatal(err)
	}
	if data, err := os.ReadFile(s.Path()); err != nil || string(data) != "x" || !strings.HasPrefix(s.Path(), folder) {
		t.Errorf("%s has %q, %v", s.Path(), data, err)
	}
	for range 2 {
		if err := s.Abandon(); err != nil {
			t.Error(err)
		}
	}
	if got := list(t, folder); len(got) > 0 {
		t.Errorf("%q is left", got)
	}
}

// TestCommitLocksFolder asks for the folder's lock at every change of its names that belongs to files which come together.
func TestCommitLocksFolder(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("folders have no locks")
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "file")
	old, err := writeBoth(path, "old", nil)
	if err != nil {
		t.Fatal(err)
	}
	changes := 0
	end := Intercept(func(s Step) error {
		if (s.Doing != Moving || filepath.Dir(s.To) != folder) && (s.Doing != Removing || filepath.Dir(s.Path) != folder || temporaryName.MatchString(filepath.Base(s.Path))) {
			return nil
		}
		changes++
		l := flock.New(folder, flock.SetFlag(os.O_RDONLY))
		defer l.Close()
		if isFree, err := l.TryLock(); err != nil || isFree {
			t.Errorf("%s %s: the folder is locked: %v, %v", s.Doing, s.Name, !isFree, err)
		}
		return nil
	})
	_, err = writeBoth(path, "new", func() ([]string, error) { return []string{old}, nil })
	end()
	if err != nil || changes != 3 || isThere(filepath.Join(folder, old)) {
		t.Errorf("%d changes, want two new files and an old one that goes: %v", changes, err)
	}
}
