package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Limits for the text that people see, because texts from models and folders may have any length. JSON has all of it.
const (
	mostLines = 30   // of a message
	mostRunes = 1500 // of a line, or of a cell of a table
)

// shortened shortens a message: it cuts the middle of long lines, and leaves out lines between the first ones and the last.
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

// cut leaves out the middle of a line with more than most characters. A fifth of the result is the end of the line, which often
// has the advice.
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
