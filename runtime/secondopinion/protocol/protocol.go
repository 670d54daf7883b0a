// Package protocol defines the messages between rcfreeze and the second engine's program. Each side writes one message: a line
// with its [Version], one line of JSON, and float32 elements in little-endian order up to the end.
package protocol

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Version is the first line of every message. Change it with the format of messages, and with the versions of the engine's
// modules: only for these versions is it known which models the engine computes correctly.
const Version = "rcfreeze second opinion 1, onnx-go v0.5.0, gorgonia v0.9.18, tensor v0.9.24"

// Request is the header of rcfreeze's message. The elements of the input follow it.
type Request struct {
	Model         string // file
	Input, Output string // names of values
	Dims          []int64
}

// Reply is the header of the program's message. The elements of the output follow it, unless there is an error.
type Reply struct {
	Error string
	Dims  []int64
}

// VersionError is the error of [Read] for a message whose first line is not [Version].
type VersionError struct {
	Got string // that line, shortened if it is long
}

// Error names both versions.
func (e *VersionError) Error() string {
	return fmt.Sprintf("the other side speaks %q, not %q", e.Got, Version)
}

// Write writes a message: a *Request or a *Reply, and elements.
func Write(w io.Writer, header any, elements []byte) error {
	line, err := json.Marshal(header)
	if err != nil {
		return err
	}
	_, err = w.Write(slices.Concat([]byte(Version+"\n"), line, []byte{'\n'}, elements))
	return err
}

// Read reads a message to its end. It sets header, a *Request or a *Reply, and returns the elements. If the message has another
// version, the error is a *VersionError.
func Read(r io.Reader, header any) (elements []byte, err error) {
	b := bufio.NewReader(r)
	version, err := b.ReadString('\n')
	if err != nil && err != io.EOF {
		return nil, err
	}
	if version = strings.TrimSuffix(version, "\n"); version != Version {
		const most = 100
		return nil, &VersionError{version[:min(len(version), most)]}
	}
	line, err := b.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(line, header); err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}
