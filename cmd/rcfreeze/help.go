package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/spf13/cobra"
	"golang.org/x/term"
)

const (
	usualWidth  = 100 // of what people read, in cells of a terminal
	leastWidth  = 40  // narrower terminals break lines themselves
	flagColumns = 30  // of help, before what a flag does
)

// widthOf returns how many cells wide a text for people may be: as the terminal, if they see it in one.
func widthOf(w io.Writer) int {
	if s, ok := w.(*stream); ok {
		w = s.Writer
	}
	if f, ok := w.(*os.File); ok {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil && width > 0 {
			return max(width, leastWidth)
		}
	}
	return usualWidth
}

// newHelp makes the command that prints the help of another one.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:   "help [COMMAND]",
		Short: "Print the help of a command",
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, left, err := root.Find(args)
			if err != nil {
				return err
			}
			if len(left) > 0 {
				return fmt.Errorf("unknown command %q of %s: rcfreeze --help lists the commands", strings.Join(left, " "), cmd.CommandPath())
			}
			return cmd.Help()
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			var names []string
			for _, c := range root.Commands() {
				names = append(names, c.Name())
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// help prints what a command does, how it is used, and its flags in groups.
func (p *printer) help(cmd *cobra.Command, _ []string) {
	width := min(p.columns(), usualWidth)
	cmd.InheritedFlags() // makes UseLine know of them
	var b strings.Builder
	long := cmd.Long
	if long == "" {
		long = cmd.Short + "."
	}
	b.WriteString(paragraphs(long, width))
	b.WriteString("\nUsage:\n")
	if cmd.HasSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND [flags]\n", cmd.CommandPath())
	} else {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", indented(cmd.Example))
	}
	if cmd.HasAvailableSubCommands() {
		b.WriteString("\nCommands:\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() || c.Name() == "help" {
				b.WriteString(beside("  "+c.Name(), c.Short, 15, width))
			}
		}
	}
	for _, g := range groupFlags(cmd) {
		if len(g.flags) > 0 {
			fmt.Fprintf(&b, "\n%s:\n", g.title)
		}
		for _, f := range g.flags {
			b.WriteString(beside(f.left(), f.right(), flagColumns, width))
		}
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help explains a command and its flags.\n", cmd.CommandPath())
	}
	io.WriteString(p.stdout, b.String())
}

// paragraphs returns a text with lines of at most width cells. Lines that begin with a space or a tab are items of a list: what
// follows two spaces in them is a column of its own.
func paragraphs(long string, width int) string {
	var b strings.Builder
	var words []string
	end := func() {
		if words != nil {
			b.WriteString(beside("", strings.Join(words, " "), 0, width))
			words = nil
		}
	}
	for line := range strings.SplitSeq(strings.TrimSpace(long), "\n") {
		item := strings.TrimLeft(line, " \t")
		if item == line && item != "" {
			words = append(words, line)
			continue
		}
		end()
		name, what, both := strings.Cut(item, "  ")
		switch what = strings.TrimLeft(what, " "); {
		case both:
			b.WriteString(beside("  "+name, what, 2+text.StringWidth(item)-text.StringWidth(what), width))
		case item != "":
			fmt.Fprintln(&b, "  "+item)
		default:
			fmt.Fprintln(&b)
		}
	}
	end()
	return b.String()
}

// beside returns lines with a name, and a text in a column that begins after indent cells, or below the name if a word is too long
// for that column.
func beside(name, what string, indent, width int) string {
	var b strings.Builder
	b.WriteString(name)
	at := text.StringWidth(name)
	if longestWord(what) > width-indent && name != "" {
		indent = min(columnGap, indent)
	}
	if name != "" && at+columnGap > indent {
		fmt.Fprintln(&b)
		at = 0
	}
	for _, line := range wrapped(what, width-indent) {
		fmt.Fprintf(&b, "%*s%s\n", indent-at, "", line)
		at = 0
	}
	return b.String()
}

// wrapped breaks a text at spaces into lines of at most width cells. What has no spaces stays whole, so that it can be copied.
func wrapped(what string, width int) []string {
	var lines []string
	line := ""
	for i, word := range strings.Split(what, " ") {
		switch {
		case i == 0:
			line = word
		case text.StringWidth(line)+1+text.StringWidth(word) > width:
			lines, line = append(lines, line), word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// indented returns the lines of a text, each indented.
func indented(lines string) string {
	return "  " + strings.ReplaceAll(strings.TrimSpace(lines), "\n", "\n  ")
}
