package secondopinion

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// request goes to the child's standard input: one line of JSON, then the elements of the input.
type request struct {
	Model         string // file
	Input, Output string // names of values
	Dims          []int64
}

// reply comes from the child's standard output: one line of JSON, then the elements of the output unless
// there is an error.
type reply struct {
	Error string
	Dims  []int64
}

// message is a header and the float32 elements, in little-endian order, that follow it.
func writeMessage(w io.Writer, header any, elements []byte) error {
	line, err := json.Marshal(header)
	if err != nil {
		return err
	}
	_, err = w.Write(slices.Concat(line, []byte{'\n'}, elements))
	return err
}

func readMessage(r io.Reader, header any) (elements []byte, err error) {
	b := bufio.NewReader(r)
	line, err := b.ReadBytes('\n')
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(line, header); err != nil {
		return nil, err
	}
	return io.ReadAll(b)
}

// newTensor is for elements that another process has sent.
func newTensor(dims []int64, elements []byte) (*onnxgraph.Tensor, error) {
	size := int64(4)
	for _, d := range dims {
		size *= d
	}
	if size != int64(len(elements)) {
		return nil, fmt.Errorf("dims %v take %d bytes, got %d", dims, size, len(elements))
	}
	return onnxgraph.NewRawTensor(onnxgraph.Float32, dims, elements), nil
}
