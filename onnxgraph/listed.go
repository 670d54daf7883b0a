package onnxgraph

import (
	"fmt"
	"strings"
)

// Listed returns the first few names as text, and how many more there are. Use it in all messages with long lists of names.
func Listed(names []string) string {
	const most = 8
	if len(names) <= most+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
