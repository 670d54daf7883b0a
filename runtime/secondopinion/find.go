package secondopinion

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
)

const (
	programName = "rcfreeze-second-opinion"
	howToBuild  = "`make build` in rcfreeze's source folder makes both programs, side by side, and so does `go install ./cmd/...` there"
)

// Find returns the path of the second engine's program: the one beside the running program, or else the first in the folders of
// the environment variable PATH. Folders in PATH that are relative, such as the working directory, are left out: whoever writes
// into such a folder must not choose what runs. Where there is none, the error says how to get one.
func Find() (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self) // a link to rcfreeze is in another folder than the two programs
	}
	if err != nil {
		return "", fmt.Errorf("finding out where the running program is, to look for %s beside it: %w", programName, err)
	}
	return find(self, os.Getenv("PATH"))
}

func find(self, path string) (string, error) {
	for _, folder := range slices.Concat([]string{filepath.Dir(self)}, filepath.SplitList(path)) {
		if !filepath.IsAbs(folder) {
			continue
		}
		if program, err := exec.LookPath(filepath.Join(folder, programName)); err == nil { // with .exe on Windows
			return program, nil
		}
	}
	return "", fmt.Errorf("a second opinion needs the program %s, which is neither beside %s nor on PATH: %s", programName, self, howToBuild)
}
