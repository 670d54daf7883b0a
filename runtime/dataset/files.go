package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// findFiles returns the path of each wanted file in a folder. A wanted file is a list of possible names; the first one that
// exists counts. The error lists all missing files.
func findFiles(folder string, wanted ...[]string) ([]string, error) {
	paths := make([]string, len(wanted))
	var missing []string
	for i, names := range wanted {
		if paths[i] = findFile(folder, names); paths[i] == "" {
			missing = append(missing, names[0])
		}
	}
	if len(missing) > 0 {
		return nil, fmt.Errorf("missing in %s: %s", folder, strings.Join(missing, ", "))
	}
	return paths, nil
}

func findFile(folder string, names []string) string {
	for _, name := range names {
		path := filepath.Join(folder, name)
		if info, err := os.Stat(path); err == nil && !info.IsDir() {
			return path
		}
	}
	return ""
}

// maxElements limits the elements of one array. It is far more than fits into memory, and far below overflow.
const maxElements = 1 << 40

// product returns the product of dims, or an error if a dim is not positive or the product is beyond
// maxElements.
func product(dims ...int64) (int64, error) {
	n := int64(1)
	for _, d := range dims {
		if d <= 0 || d > maxElements/n {
			return 0, fmt.Errorf("impossible dims %v", dims)
		}
		n *= d
	}
	return n, nil
}
