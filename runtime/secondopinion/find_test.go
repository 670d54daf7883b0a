package secondopinion

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

func TestFind(t *testing.T) {
	root := t.TempDir()
	t.Chdir(root)
	file := programName
	if runtime.GOOS == "windows" {
		file += ".exe"
	}
	for folder, mode := range map[string]os.FileMode{".": 0o755, "with": 0o755, "other": 0o755, "readable": 0o644, "folder": 0, "none": 0} {
		path := filepath.Join(root, folder, file)
		err := os.MkdirAll(filepath.Join(root, folder), 0o755)
		switch {
		case err == nil && mode != 0:
			err = os.WriteFile(path, nil, mode)
		case err == nil && folder == "folder":
			err = os.Mkdir(path, 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		name   string
		beside string   // the folder of the running program
		path   []string // "/" before a folder makes it absolute
		want   string   // folder, "" if there is none
	}{
		{"beside", "with", []string{"/other"}, "with"},
		{"on PATH", "none", []string{"/none", "/other", "/with"}, "other"},
		{"nowhere", "none", []string{"/none"}, ""},
		{"no PATH", "none", nil, ""},
		{"in the working directory", "none", []string{".", "", "with", "./with"}, ""},
		{"on PATH, behind the working directory", "none", []string{".", "", "with", "/other"}, "other"},
		{"not a program", "folder", []string{"/folder", "/with"}, "with"},
		{"a file that may not be run", "readable", []string{"/readable", "/with"}, "with"},
	} {
		if runtime.GOOS == "windows" && c.beside == "readable" {
			continue // where any file may be run
		}
		for i, folder := range c.path {
			if strings.HasPrefix(folder, "/") {
				c.path[i] = filepath.Join(root, folder)
			}
		}
		got, err := find(filepath.Join(root, c.beside, "rcfreeze"), strings.Join(c.path, string(os.PathListSeparator)))
		if c.want == "" {
			if err == nil || !strings.Contains(err.Error(), filepath.Join(root, c.beside, "rcfreeze")) || !strings.Contains(err.Error(), howToBuild) {
				t.Errorf("%s: found %q, error %v", c.name, got, err)
			}
			continue
		}
		if want := filepath.Join(root, c.want, file); err != nil || got != want {
			t.Errorf("%s: found %q, want %q; %v", c.name, got, want, err)
		}
	}
}
