package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder creates a folder and missing folders above it, unless they exist. They stay even if the power fails.
func MakeFolder(path string) error {
	if err := makeFolder(path); err != nil {
		return fmt.Errorf("making the folder %s: %w", path, err)
	}
	return nil
}

func makeFolder(path string) error {
	var within []string // the folders that get a new folder, innermost first
	for missing := filepath.Clean(path); ; missing = filepath.Dir(missing) {
		if _, err := os.Stat(missing); !errors.Is(err, fs.ErrNotExist) {
			break
		}
		within = append(within, filepath.Dir(missing))
	}
	if err := os.MkdirAll(path, 0o777); err != nil {
		return err
	}
	for _, folder := range within {
		if err := syncFolderAt(folder); err != nil {
			return err
		}
	}
	return nil
}
