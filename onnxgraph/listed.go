package onnxgraph

import (
	"fmt"
	"strings"
)

// Listed writes the first few of a list of names, and how many more there are. All messages that list many names use it.
func Listed(names []string) string {
	const most = 8
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
