package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// Target returns the file to write if a user names path as the output: path itself or, if it is a link, the file that it points
// to, so that the link stays. It fails if a folder, a device or a pipe is there, which a file must not replace.
func Target(path string) (string, error) {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return newTarget(path)
	}
	if err != nil {
		return "", err
	}
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "", fmt.Errorf("%s is a folder: name a file in it", path)
	case !mode.IsRegular():
		return "", fmt.Errorf("%s is %s, not a file that can be replaced", path, plainfile.Kind(mode))
	}
	if isLink(path) {
		return filepath.EvalSymlinks(path)
	}
	return path, nil
}

// newTarget is Target for a path without a file: nothing is there, or a link to a file that does not exist yet.
func newTarget(path string) (string, error) {
	if !isLink(path) {
		return path, nil
	}
	next, err := os.Readlink(path)
	if err != nil {
		return "", err
	}
	if filepath.IsAbs(next) {
		return Target(next)
	}
	folder, err := filepath.EvalSymlinks(filepath.Dir(path))
	if err != nil {
		return "", err
	}
	return Target(folder + string(filepath.Separator) + next) // not cleaned, because the part before a ".." may be a link
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}
