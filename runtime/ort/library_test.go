package ort

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// linkedLibrary compiles a shared library that needs another, which is then removed.
func linkedLibrary(t *testing.T, path, needed string) {
	t.Helper()
	compile(t, path, "int fake;\n", "-Wl,--no-as-needed", needed)
	if err := os.Remove(needed); err != nil {
		t.Fatal(err)
	}
}

// fakeLibrary compiles a shared library that says it is ONNX Runtime of some version; "" makes one that
// says nothing.
func fakeLibrary(t *testing.T, path, version string) string {
	t.Helper()
	code := `#include <stddef.h>
static const char *version(void) { return "` + version + `"; }
static const struct { void *get_api; const char *(*get_version)(void); } base = {NULL, version};
`
	if version != "" {
		code += "const void *OrtGetApiBase(void) { return &base; }\n"
	}
	compile(t, path, code)
	return path
}

// compile makes a shared library of C code.
func compile(t *testing.T, path, code string, arguments ...string) {
	t.Helper()
	compiler, err := exec.LookPath("cc")
	if err != nil || runtime.GOOS == "windows" {
		t.Skip("needs a C compiler to make a library")
	}
	source := filepath.Join(t.TempDir(), "library.c")
	if err := os.WriteFile(source, []byte(code), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	arguments = append([]string{"-shared", "-fPIC", "-w", "-o", path, source}, arguments...)
	if out, err := exec.Command(compiler, arguments...).CombinedOutput(); err != nil {
		t.Fatalf("compiling: %v\n%s", err, out)
	}
}

func mentions(t *testing.T, err error, pieces ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want one about %q", pieces)
	}
	for _, piece := range pieces {
		if !strings.Contains(err.Error(), piece) {
			t.Errorf("error %q\ndoes not speak of %q", err, piece)
		}
	}
}

// libraryName is how the file is called on the system that runs the test.
func libraryName() string { return thisPlatform().names[0] }

func TestFindOrder(t *testing.T) {
	root := t.TempDir()
	named := fakeLibrary(t, filepath.Join(root, "named", libraryName()), "1.26.1")
	flagged := fakeLibrary(t, filepath.Join(root, "flagged.so"), "2.0.0")
	folder := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(folder)
	tests := []struct {
		name, flag, variable   string
		path, version, foundBy string
	}{
		{"flag first", flagged, named, flagged, "2.0.0", "flag --ort-lib"},
		{"then the variable", "", named, named, "1.26.1", LibraryVariable},
		{"the variable may name a folder", "", filepath.Dir(named), named, "1.26.1", LibraryVariable},
		{"a relative path", filepath.Join("..", "..", "flagged.so"), "", flagged, "2.0.0", "flag --ort-lib"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv(LibraryVariable, test.variable)
			lib, err := Find(test.flag)
			if err != nil {
				t.Fatal(err)
			}
			if !sameFile(lib.Path, test.path) || lib.Version != test.version || !strings.Contains(lib.FoundBy, test.foundBy) {
				t.Errorf("found %+v, want %s %s by %s", lib, test.path, test.version, test.foundBy)
			}
		})
	}
}

// TestCaches looks in .cache/onnxruntime of a folder and of those above it.
func TestCaches(t *testing.T) {
	root := t.TempDir()
	cached := fakeLibrary(t, filepath.Join(root, ".cache", "onnxruntime", "release-1.25.0", "lib", libraryName()), "1.25.0")
	folder := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	lib, err := findIn([]place{{"above", cachesFrom(folder), true}})
	if err != nil || lib.Path != cached || lib.Version != "1.25.0" || lib.FoundBy != "above" {
		t.Errorf("found %+v, %v, want %s", lib, err, cached)
	}
	// What lies in the working directory may be somebody else's.
	t.Chdir(folder)
	t.Setenv(LibraryVariable, "")
	for _, p := range places() {
		for _, folder := range p.folders {
			if strings.HasPrefix(folder, root) || !filepath.IsAbs(folder) {
				t.Errorf("the library is looked for in %s (%s)", folder, p.how)
			}
		}
	}
}

// TestTrust has a library where others may have put it: it counts only if the user names it.
func TestTrust(t *testing.T) {
	for name, spoil := range map[string]func(library string) error{
		"file open to all":       func(library string) error { return os.Chmod(library, 0o777) },
		"folder open to all":     func(library string) error { return os.Chmod(filepath.Dir(library), 0o777) },
		"file of another user":   func(library string) error { return os.Chown(library, 12345, -1) },
		"folder of another user": func(library string) error { return os.Chown(filepath.Dir(library), 12345, -1) },
		"link to a file for all": func(library string) error {
			moved := library + ".moved"
			return errors.Join(os.Rename(library, moved), os.Chmod(moved, 0o777), os.Symlink(moved, library))
		},
	} {
		t.Run(name, func(t *testing.T) {
			library := fakeLibrary(t, filepath.Join(t.TempDir(), libraryName()), "1.25.0")
			here := []string{filepath.Dir(library)}
			if err := os.Chmod(here[0], 0o755); err != nil {
				t.Fatal(err)
			}
			if _, err := findIn([]place{{"guarded", here, true}}); err != nil {
				t.Fatalf("a library of the user's own: %v", err)
			}
			if err := spoil(library); err != nil {
				t.Skip(err) // only root gives files away
			}
			_, err := findIn([]place{{"guarded", here, true}})
			mentions(t, err, library[:len(library)-len(libraryName())-1], "--ort-lib", LibraryVariable)
			if lib, err := findIn([]place{{"open", here, false}}); err != nil || lib.Version != "1.25.0" {
				t.Errorf("where it need not be guarded: %+v, %v", lib, err)
			}
			if lib, err := Find(library); err != nil || lib.Version != "1.25.0" {
				t.Errorf("named by the user: %+v, %v", lib, err)
			}
		})
	}
}

func TestNamedLibraryIsNeverSkipped(t *testing.T) {
	folder := t.TempDir()
	text := filepath.Join(folder, "text.so")
	if err := os.WriteFile(text, []byte(strings.Repeat("not a library\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name, path string
		pieces     []string
	}{
		{"missing", filepath.Join(folder, "none.so"), []string{"none.so", "no such file"}},
		{"not a library", text, []string{text, "not a usable ONNX Runtime library"}},
		{"empty folder", t.TempDir(), []string{"names a folder", libraryName()}},
		{"another library", fakeLibrary(t, filepath.Join(folder, "other.so"), ""), []string{"other.so", "OrtGetApiBase"}},
		{"too old", fakeLibrary(t, filepath.Join(folder, "old.so"), "1.23.2"), []string{"old.so", "1.23.2", "1.24 or newer"}},
		{"strange version", fakeLibrary(t, filepath.Join(folder, "odd.so"), "newest"), []string{"odd.so", `"newest"`}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := Find(test.path)
			mentions(t, err, append(test.pieces, "flag --ort-lib", "make setup", LibraryVariable)...)
			t.Setenv(LibraryVariable, test.path)
			_, err = Find("")
			mentions(t, err, append(test.pieces, "environment variable "+LibraryVariable, "make setup")...)
		})
	}
}

func TestFindInPassesOverUnusableLibraries(t *testing.T) {
	bad, good, empty := t.TempDir(), t.TempDir(), t.TempDir()
	old := fakeLibrary(t, filepath.Join(bad, libraryName()), "1.2.0")
	_, err := findIn([]place{{how: "here", folders: []string{empty}}, {how: "there", folders: []string{bad}}})
	mentions(t, err, empty+" (here)", bad+" (there)", old, "too old", "make setup", LibraryVariable)

	recent := fakeLibrary(t, filepath.Join(good, libraryName()), "1.30.0")
	lib, err := findIn([]place{{how: "there", folders: []string{bad, good}}})
	if err != nil {
		t.Fatal(err)
	}
	if lib.Path != recent || !strings.Contains(lib.Warning, "leaks") {
		t.Errorf("found %+v, want %s with a warning", lib, recent)
	}
}

func TestLibrariesInFolder(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the names are those of Linux")
	}
	folder := t.TempDir()
	for _, name := range []string{"libonnxruntime.so.1.24.3", "libonnxruntime.so.1.25.0", "libonnxruntime_providers_shared.so", "notes.txt"} {
		if err := os.WriteFile(filepath.Join(folder, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("libonnxruntime.so.1.24.3", filepath.Join(folder, "libonnxruntime.so")); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(librariesIn(folder), " ")
	want := filepath.Join(folder, "libonnxruntime.so") + " " + filepath.Join(folder, "libonnxruntime.so.1.25.0")
	if got != want {
		t.Errorf("found %s, want %s", got, want)
	}
}

func TestCheckVersion(t *testing.T) {
	for version, ok := range map[string]bool{
		"1.24.0": true, "1.24.3": true, "1.30.0-dev": true, "2.0.0": true, "1.100": true,
		"1.23.9": false, "1.9.0": false, "0.99.0": false, "": false, "x.y": false,
	} {
		if err := checkVersion(version); (err == nil) != ok {
			t.Errorf("version %q: %v, want usable %v", version, err, ok)
		}
	}
}

func TestInitOnlyOnce(t *testing.T) {
	first, err := Init("")
	if err != nil {
		t.Fatal(err)
	}
	again, err := Init(first.Path)
	if err != nil || again != first {
		t.Errorf("a second Init of the same file gave %v, %v", again, err)
	}
	other := fakeLibrary(t, filepath.Join(t.TempDir(), "other.so"), "1.99.0")
	_, err = Init(other)
	mentions(t, err, first.Path, other, "already uses")
}
