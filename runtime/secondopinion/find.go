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

// Find returns the path of the second engine's program: the one beside the running program, or else the first one on PATH. It
// skips relative folders on PATH, such as the working directory, because others may be able to write there and so choose what
// runs. If there is no such program, the error says how to get it.
func Find() (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self) // a link to rcfreeze may be in another folder than the programs
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
