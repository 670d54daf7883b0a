// Command rcfreeze turns the spatial convolutions of ONNX models into frozen blocks, trains what is left on
// stock ONNX Runtime, compares, and merges the blocks back.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/rcfreeze/rcfreeze/runtime/secondopinion"
)

// The exit codes.
const (
	exitDone        = 0
	exitFailed      = 1
	exitInterrupted = 130 // as shells report a program that SIGINT ended
)

func main() {
	secondopinion.RunChildIfAsked()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the program at once
	os.Exit(execute(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// execute runs the command with the given arguments and returns its exit code.
func execute(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := newRoot(&printer{stdout: stdout, stderr: stderr})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(stderr, "rcfreeze:", err)
	if ctx.Err() != nil {
		return exitInterrupted
	}
	return exitFailed
}
