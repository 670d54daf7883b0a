//go:build unix

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"
)

// position is the line and column in a line that the tool printed.
var position = regexp.MustCompile(`^([^:\s]+):\d+:\d+`)

// readEqual reads a list of mutants that behave like the original program: a line as the tool prints it for a survivor, with or
// without the position, and below it, indented, the reason. Lines that begin with # are comments. A missing file is an empty
// list.
func readEqual(path string) (map[string]string, error) {
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	reasons := map[string]string{}
	key := ""
	for i, line := range strings.Split(string(text), "\n") {
		content := strings.TrimSpace(line)
		switch {
		case content == "" || strings.HasPrefix(line, "#"):
		case line[0] == ' ' || line[0] == '\t':
			if key == "" {
				return nil, fmt.Errorf("reading %s:%d: a reason comes before its mutant", path, i+1)
			}
			reasons[key] = strings.TrimSpace(reasons[key] + " " + content)
		default:
			key = position.ReplaceAllString(content, "$1")
			if _, twice := reasons[key]; twice {
				return nil, fmt.Errorf("reading %s:%d: the mutant is there twice", path, i+1)
			}
			reasons[key] = ""
		}
	}
	for key, reason := range reasons {
		if reason == "" {
			return nil, fmt.Errorf("reading %s: a mutant needs a reason, indented, below it: %s", path, key)
		}
	}
	return reasons, nil
}
