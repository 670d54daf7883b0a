package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"unicode/utf8"
)

// TestExitCodes checks that a wrong command line gives 2, and work that fails 1: scripts tell them apart.
func TestExitCodes(t *testing.T) {
	workshop(t)
	for _, c := range []struct {
		args string
		want int
	}{
		{"--help", exitDone},
		{"train --help", exitDone},
		{"--version", exitDone},
		{"trian model.onnx", exitUsage},
		{"inspect", exitUsage},
		{"inspect model.onnx model.onnx", exitUsage},
		{"inspect model.onnx --no-such-flag", exitUsage},
		{"inspect model.onnx --expansion", exitUsage},
		{"inspect model.onnx -E many", exitUsage},
		{"inspect model.onnx --bank x", exitUsage},
		{"inspect model.onnx --layout x", exitUsage},
		{"convert model.onnx", exitUsage},
		{"convert model.onnx -o out.onnx --seed -1", exitUsage},
		{"convert model.onnx -o out.onnx --pointwise calibrate", exitUsage},
		{"recalibrate model.onnx -o out.onnx --data bands -b 1", exitUsage},
		{"train model.onnx -o out.onnx --data bands --epochs 0", exitUsage},
		{"train model.onnx -o out.onnx --data bands --epochs x", exitUsage},
		{"train model.onnx -o out.onnx --data bands --variant x", exitUsage},
		{"train none.onnx -o none/out.onnx --data bands --epochs 0", exitUsage},
		{"compare model.onnx -o out --data bands --variants x", exitUsage},
		{"compare model.onnx -o out --data bands -E 0", exitUsage},
		{"compare model.onnx -o out --data bands --pointwise x", exitUsage},
		{"eval model.onnx --data bands --threads -1", exitUsage},
		{"eval model.onnx --data bands --provider tpu", exitUsage},
		{"eval model.onnx --data bands --epsilon 8", exitUsage},
		{"export model.onnx -o out.onnx --batch 0", exitUsage},
		{"new x -o out.onnx", exitUsage},
		{"new lenet -o out.onnx --input 3", exitUsage},
		{"inspect none.onnx", exitFailed},
		{"eval model.onnx --data nowhere", exitFailed},
		{"convert model.onnx -o none/out.onnx", exitFailed},
		{"train model.onnx -o out.onnx --data bands --epochs 1 --train-from nothing", exitFailed},
	} {
		if _, stderr, code := call(strings.Fields(c.args)...); code != c.want {
			t.Errorf("rcfreeze %s: exit code %d, want %d: %s", c.args, code, c.want, stderr)
		}
	}
}

// TestSignals checks that a signal ends the context with a cause that gives the exit code of shells.
func TestSignals(t *testing.T) {
	heedHangups()
	for _, c := range []struct {
		signal syscall.Signal
		want   int
	}{{syscall.SIGINT, 130}, {syscall.SIGTERM, 143}, {syscall.SIGHUP, 129}} {
		ctx := untilSignal(context.Background(), c.signal)
		self, err := os.FindProcess(os.Getpid())
		if err != nil {
			t.Fatal(err)
		}
		if err := self.Signal(c.signal); err != nil {
			t.Skipf("cannot send %v here: %v", c.signal, err)
		}
		<-ctx.Done()
		if code := exitCode(ctx, workError{errors.New("was stopped")}); code != c.want {
			t.Errorf("%v: exit code %d, want %d", c.signal, code, c.want)
		}
		if !signal.Ignored(syscall.SIGHUP) {
			t.Errorf("after %v, a hangup ends the program before it has saved", c.signal)
		}
		heedHangups()
	}
}

// heedHangups has this process, and those that it starts, not ignore hangups any more, as they do under nohup.
func heedHangups() {
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	signal.Stop(hangups)
}

// TestShortened checks that no error fills the screen, and that its end, where the advice stands, is kept.
func TestShortened(t *testing.T) {
	var names []string
	for range 999 {
		names = append(names, "layer.convolution")
	}
	short := "reading x: it is\n  y"
	line := "no such layers: " + strings.Join(names, ", ") + ": give other names"
	lines := strings.Join(names, "\n") + "\ngive other names"
	for _, c := range []struct {
		name, message string
		runes         int // at most
		begin, end    string
	}{
		{"short", short, len(short), short, short},
		{"long line", line, mostRunes + 100, "no such layers: layer.convolution, ", ": give other names"},
		{"many lines", lines, mostLines * 30, "layer.convolution\nlayer", "\n… and 970 more lines\ngive other names"},
		{"many long lines", line + "\n" + line, 2*mostRunes + 200, "no such", "give other names"},
		{"no ASCII", strings.Repeat("é", 5000), mostRunes + 100, "é", "é"},
	} {
		got := shortened(c.message)
		if n := utf8.RuneCountInString(got); n > c.runes {
			t.Errorf("%s: %d characters, want at most %d", c.name, n, c.runes)
		}
		if !strings.HasPrefix(got, c.begin) || !strings.HasSuffix(got, c.end) || !utf8.ValidString(got) {
			t.Errorf("%s: got %q", c.name, got)
		}
	}
}
