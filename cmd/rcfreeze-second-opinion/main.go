// Command rcfreeze-second-opinion runs a model once in a second engine, onnx-go, for `rcfreeze export --second-opinion`, which
// starts it. It is a program of its own because the engine is larger than all of rcfreeze, and can end its process.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/rcfreeze/rcfreeze/runtime/secondopinion/protocol"
)

const purpose = "`rcfreeze export --second-opinion` starts this program, and nobody else needs to: it has no flags"

func main() {
	if info, err := os.Stdin.Stat(); len(os.Args) > 1 || err == nil && info.Mode()&os.ModeCharDevice != 0 { // a terminal
		fmt.Fprintln(os.Stderr, "rcfreeze-second-opinion:", purpose)
		os.Exit(2)
	}
	answer := os.Stdout
	os.Stdout = os.Stderr // what the engine prints must not mix with the reply
	if err := serve(os.Stdin, answer); err != nil {
		fmt.Fprintf(os.Stderr, "rcfreeze-second-opinion: %v: %s\n", err, purpose)
		os.Exit(1)
	}
}

// serve answers one request. One of another version gets a reply, too: its first line is the version of this program.
func serve(in io.Reader, out io.Writer) error {
	var ask protocol.Request
	elements, err := protocol.Read(in, &ask)
	var other *protocol.VersionError
	if errors.As(err, &other) {
		err = errors.Join(err, protocol.Write(out, &protocol.Reply{}, nil))
	}
	if err != nil {
		return fmt.Errorf("reading the request: %w", err)
	}
	output, dims, err := infer(ask, elements)
	if err != nil {
		return protocol.Write(out, &protocol.Reply{Error: engineText(err)}, nil)
	}
	return protocol.Write(out, &protocol.Reply{Dims: dims}, output)
}
