package main

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// The most that an error prints: what a model or a folder holds may be without end.
const (
	mostLines = 30
	mostRunes = 1500 // of a line
	endRunes  = 300  // of a longer line, kept from its end, where the advice stands
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
		if n := utf8.RuneCountInString(line); n > mostRunes {
			runes := []rune(line)
			end := n - endRunes
			start := mostRunes - endRunes
			lines[i] = fmt.Sprintf("%s … (%d characters left out) … %s", string(runes[:start]), end-start, string(runes[end:]))
		}
	}
	return strings.Join(lines, "\n")
}
