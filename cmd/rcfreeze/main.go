// Command rcfreeze turns the spatial convolutions of ONNX models into frozen blocks, trains what is left on
// stock ONNX Runtime, compares, and merges the blocks back.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// The exit codes. A signal that ends the program adds its number to exitSignal, as in shells: 130 for SIGINT, 143 for SIGTERM.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2 // the command line is wrong: nothing was read
	exitSignal = 128
)

func main() {
	tellCrashes()
	ctx := untilSignal(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	// Asked for, this signal does not end the program: the write that caused it fails, which a stream notices.
	signal.Notify(make(chan os.Signal, 1), syscall.SIGPIPE)
	stdout, stderr := standardStreams()
	os.Exit(execute(ctx, os.Args[1:], stdout, stderr))
}

// stopped is the cause of a context that a signal has ended.
type stopped struct{ signal os.Signal }

func (s stopped) Error() string { return fmt.Sprintf("stopped by a signal: %v", s.signal) }

// untilSignal returns a context that the first of the signals ends. A second one ends the program at once. Signals that the
// program was started to ignore, as nohup does, stay ignored.
func untilSignal(parent context.Context, signals ...os.Signal) context.Context {
	ctx, cancel := context.WithCancelCause(parent)
	came := make(chan os.Signal, 1)
	for _, s := range signals {
		if !signal.Ignored(s) {
			signal.Notify(came, s)
		}
	}
	go func() {
		s := <-came
		signal.Ignore(syscall.SIGHUP) // a terminal that closes sends several, and nobody is impatient then
		signal.Stop(came)
		cancel(stopped{s})
	}()
	return ctx
}

// execute runs the command with the given arguments and returns its exit code. It stops, as by a signal, when nobody reads any
// more what it writes.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	ctx, cancel := context.WithCancelCause(ctx)
	unread := func() { cancel(stopped{syscall.SIGPIPE}) }
	out := &stream{Writer: stdout, broken: unread}
	p := &printer{args: args, stdin: os.Stdin, stdout: out, stderr: &stream{Writer: stderr, broken: unread}}
	root := newRoot(p)
	root.SetArgs(args)
	if len(args) > 0 && strings.HasPrefix(args[0], cobra.ShellCompRequestCmd) {
		for _, cmd := range root.Commands() {
			complete(cmd)
		}
	}
	err := out.explain(root.ExecuteContext(ctx))
	if err == nil {
		return exitDone
	}
	if err != errUnread {
		p.say("rcfreeze: %v", err)
	}
	return exitCode(ctx, err)
}

func exitCode(ctx context.Context, err error) int {
	var cause stopped
	if errors.As(context.Cause(ctx), &cause) {
		if s, ok := cause.signal.(syscall.Signal); ok {
			return exitSignal + int(s)
		}
	}
	if isUsage(err) {
		return exitUsage
	}
	return exitFailed
}
