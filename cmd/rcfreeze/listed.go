package main

import (
	"fmt"
	"strings"
)

// listed writes the first of a list of names in one line, and how many more there are.
func listed(names []string) string {
	const few = 6
	if len(names) > few+1 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
	}
	return strings.Join(names, ", ")
}
