package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// MakeFolder makes a folder, unless it is there, with those above it that are missing. They stay when the power goes.
func MakeFolder(path string) error {
	if err := makeFolder(path); err != nil {
		return fmt.Errorf("making the folder %s: %w", path, err)
	}
	return nil
}

func makeFolder(path string) error {
	var within []string // the folders that get a new one, from the innermost
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
