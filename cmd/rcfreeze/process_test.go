//go:build unix

package main

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// program returns a command line of the shell, in which "$0" is the program, to be run as another process.
func program(line string) *exec.Cmd {
	cmd := exec.Command("sh", "-c", line, os.Args[0])
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// TestClosedStreams starts the program with standard streams closed.
func TestClosedStreams(t *testing.T) {
	workshop(t)
	for _, c := range []struct {
		line string
		want int
		says string
	}{
		{`"$0" --version >&-`, exitFailed, "standard output: it is closed"},
		{`"$0" inspect model.onnx >&-`, exitFailed, "standard output: it is closed"},
		{`"$0" inspect model.onnx --json >&-`, exitFailed, "standard output: it is closed"},
		{`"$0" convert model.onnx -o - >&-`, exitFailed, "standard output: it is closed"},
		{`"$0" inspect model.onnx >&- 2>&-`, exitFailed, ""},
		{`"$0" inspect model.onnx 2>&-`, exitDone, ""},
		{`"$0" inspect none.onnx 2>&-`, exitFailed, ""},
		{`"$0" inspect model.onnx <&- >/dev/null`, exitDone, ""},
		{`"$0" inspect model.onnx 0<>/dev/null 1<>/dev/null`, exitDone, ""}, // as some programs start others
	} {
		cmd := program(c.line)
		var talk bytes.Buffer
		cmd.Stderr = &talk
		cmd.Run()
		if code := cmd.ProcessState.ExitCode(); code != c.want || !strings.Contains(talk.String(), c.says) {
			t.Errorf("%s: exit code %d, want %d; said %q", c.line, code, c.want, talk.String())
		}
	}
}

// TestEndedFromOutside ends a long run in all ways that leave it time to save: it does, tells by its exit code what ended it, and
// goes on with the same result. A signal that it was started to ignore does nothing.
func TestEndedFromOutside(t *testing.T) {
	workshop(t)
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) // so that the processes heed it if this one ignores it
	args := func(out string, epochs string) string {
		return strings.Join(append(trainArgs("model.onnx", out, "--threads", "1", "--scheduler", "constant", "--epochs", epochs), "--resume"), " ")
	}
	const endless = "1000000"
	send := func(signals ...syscall.Signal) func(*exec.Cmd, io.Closer) {
		return func(cmd *exec.Cmd, _ io.Closer) {
			for _, s := range signals {
				if err := cmd.Process.Signal(s); err != nil {
					t.Error(err)
				}
			}
		}
	}
	unread := func(_ *exec.Cmd, talk io.Closer) { talk.Close() }
	for _, c := range []struct {
		name, before string
		end          func(*exec.Cmd, io.Closer)
		want         int
	}{
		{"hangup", "", send(syscall.SIGHUP), 129},
		{"hangup, twice, as terminals do", "", send(syscall.SIGHUP, syscall.SIGHUP), 129},
		{"interrupt", "", send(syscall.SIGINT), 130},
		{"termination", "", send(syscall.SIGTERM), 143},
		{"nobody reads", "", unread, 141},
		{"nobody reads, and that signal is ignored", `trap "" PIPE;`, unread, 141},
		{"nohup", `trap "" HUP;`, send(syscall.SIGHUP, syscall.SIGTERM), 143},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := strings.ReplaceAll(c.name, " ", "-") + ".onnx"
			cmd := program(c.before + `exec "$0" ` + args(out, endless))
			talk, err := cmd.StderrPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			lines := bufio.NewScanner(talk)
			var said []string
			for lines.Scan() && !strings.HasPrefix(lines.Text(), "epoch 2/") {
				said = append(said, lines.Text())
			}
			c.end(cmd, talk)
			for lines.Scan() { // so that it can say the rest
				said = append(said, lines.Text())
			}
			cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != c.want {
				t.Fatalf("exit code %d, want %d: %s", code, c.want, strings.Join(said, "\n"))
			}
			if _, err := os.Stat(strings.TrimSuffix(out, ".onnx") + ".run/lock"); err == nil {
				t.Error("the lock's file is left")
			}
			last := lastEpoch(t, strings.TrimSuffix(out, ".onnx")+".run")
			succeed(t, strings.Fields(args(out, last))...)
			succeed(t, strings.Fields(args("whole.onnx", last))...)
			os.RemoveAll("whole.run")
			if !bytes.Equal(read(t, out), read(t, "whole.onnx")) {
				t.Error("the run gives another model than one that was not ended")
			}
		})
	}
}

// lastEpoch returns the number of an epoch that a run has begun and not finished.
func lastEpoch(t *testing.T, folder string) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(string(read(t, filepath.Join(folder, "metrics.csv")))), "\n")
	n := len(lines) - 1 // with a header and a line for the start
	return strconv.Itoa(n)
}
