package main

import (
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTerminalWidth prints into terminals of several widths, and where there is none.
func TestTerminalWidth(t *testing.T) {
	terminal, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	defer terminal.Close()
	for columns, want := range map[uint16]int{72: 72, 250: 250, 10: leastWidth, 0: usualWidth} { // 0: the terminal does not say it
		if err := unix.IoctlSetWinsize(int(terminal.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: columns}); err != nil {
			t.Fatal(err)
		}
		p := &printer{stdout: &stream{Writer: terminal}}
		if got := p.columns(); got != want {
			t.Errorf("in a terminal of %d columns, results are %d wide, want %d", columns, got, want)
		}
	}
	file, err := os.Create(t.TempDir() + "/file")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, p := range []*printer{{stdout: file}, {stdout: new(strings.Builder)}} {
		if got := p.columns(); got != usualWidth {
			t.Errorf("into a %T, results are %d wide, want %d", p.stdout, got, usualWidth)
		}
	}
}
