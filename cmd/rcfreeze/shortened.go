package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The most that people see of a text: what a model or a folder holds may be without end. JSON has all of it.
const (
	mostLines = 30   // of a message
	mostRunes = 1500 // of a line, or of a cell of a table
)

// shortened returns a message without what nobody would read: the middle of long lines, and lines after the first ones,
// but for the last.
func shortened(message string) string {
	lines := strings.Split(message, "\n")
	if more := len(lines) - mostLines; more > 0 {
		last := lines[len(lines)-1]
		lines = append(lines[:mostLines-1], fmt.Sprintf("… and %d more lines", more), last)
	}
	for i, line := range lines {
		lines[i] = cut(line, mostRunes)
	}
	return strings.Join(lines, "\n")
}

// cut leaves out the middle of a line of more characters than most: a fifth of what stays is its end, where the advice stands.
func cut(line string, most int) string {
	n := utf8.RuneCountInString(line)
	if n <= most {
		return line
	}
	runes := []rune(line)
	end := n - most/5
	start := most - most/5
	return fmt.Sprintf("%s … (%d characters left out) … %s", string(runes[:start]), end-start, string(runes[end:]))
}
