//go:build unix

package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// shellCommand is a command that a document shows.
type shellCommand struct {
	line   int // of the document, from 1
	text   string
	output string // what the document shows that it prints, "" if nothing
}

var (
	assignments = regexp.MustCompile(`^([A-Z_]+=\S* )*`)
	programs    = regexp.MustCompile(`^([A-Z_]+=\S* )*(make|go|rcfreeze) `)
	inText      = regexp.MustCompile("`((?:[A-Z_]+=\\S* )*(?:make|go) [^`]*)`")
)

// shellCommands returns the commands of a document in Markdown. They are in blocks of sh, a command a line; in those of console, or
// without a language, behind "$ " and before what they print; in indented blocks, too, and those of make and go in the text.
func shellCommands(text string) (commands []shellCommand, faults []string) {
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		language, fenced := strings.CutPrefix(lines[i], "```")
		indented, isIndented := strings.CutPrefix(lines[i], "    ")
		switch {
		case fenced:
			length := slices.Index(lines[i+1:], "```")
			if length < 0 {
				return commands, append(faults, fmt.Sprintf("%d: a block without an end", i+1))
			}
			block := lines[i+1 : i+1+length]
			shows := language == "console" || language == "" && length > 0 && strings.HasPrefix(block[0], "$ ")
			switch {
			case shows || language == "sh":
				commands = append(commands, commandsOf(block, i+2, shows)...)
			case slices.Contains([]string{"bash", "shell", "shell-session"}, language):
				faults = append(faults, fmt.Sprintf("%d: a block of %s: call it sh, or console if it shows what is printed", i+1, language))
			}
			i += 1 + length
		case isIndented && programs.MatchString(indented):
			commands = append(commands, shellCommand{line: i + 1, text: indented})
		default:
			for _, found := range inText.FindAllStringSubmatch(lines[i], -1) {
				commands = append(commands, shellCommand{line: i + 1, text: found[1]})
			}
		}
	}
	return commands, faults
}

// commandsOf returns the commands of a block that begins at the given line. One that ends with a backslash goes on in the next line.
func commandsOf(block []string, line int, shows bool) (commands []shellCommand) {
	for i := 0; i < len(block); i++ {
		text, isCommand := block[i], true
		if shows {
			text, isCommand = strings.CutPrefix(text, "$ ")
		}
		switch {
		case isCommand && len(arguments(" "+text)) == 0: // a comment, or nothing
		case isCommand:
			c := shellCommand{line: line + i, text: text}
			for strings.HasSuffix(c.text, `\`) && i+1 < len(block) {
				i++
				c.text = strings.TrimSuffix(c.text, `\`) + strings.TrimSpace(block[i])
			}
			commands = append(commands, c)
		case commands != nil:
			commands[len(commands)-1].output += text + "\n"
		}
	}
	return commands
}

// firstDifference returns the first line in which what a document shows differs from what was printed.
func firstDifference(shown, printed string) (shows, prints string, differ bool) {
	a, b := withoutMeasured(shown), withoutMeasured(printed)
	for i := range max(len(a), len(b)) {
		shows, prints = "", ""
		if i < len(a) {
			shows = a[i]
		}
		if i < len(b) {
			prints = b[i]
		}
		if shows != prints {
			return shows, prints, true
		}
	}
	return "", "", false
}

var (
	digits = regexp.MustCompile(`\d[\d.,]*(e[+-]\d+)?`)
	gap    = regexp.MustCompile(`  +`)
	border = regexp.MustCompile(`^─+$`)
)

// withoutMeasured returns the lines of an output without the widths of columns, and with # in the place of each number that is measured.
func withoutMeasured(output string) []string {
	lines := strings.Split(strings.TrimRight(output, "\n"), "\n")
	var header []string // of the table that the line is in
	for i, line := range lines {
		cells := gap.Split(line, -1)
		switch {
		case line == "":
			header = nil
		case border.MatchString(line):
			header = gap.Split(lines[i-1], -1)
			cells = []string{"─"}
		case len(cells) == len(header): // else a cell is empty
			for j := range cells {
				if measured.MatchString(header[j]) {
					cells[j] = digits.ReplaceAllString(cells[j], "#")
				}
			}
		case header == nil && len(cells) == 2 && measured.MatchString(cells[0]): // a name and a value
			cells[1] = digits.ReplaceAllString(cells[1], "#")
		}
		lines[i] = strings.Join(cells, "  ")
	}
	return lines
}
