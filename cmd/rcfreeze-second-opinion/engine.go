package main

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/owulveryck/onnx-go"
	"github.com/owulveryck/onnx-go/backend/x/gorgonnx"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion/protocol"
	"gorgonia.org/tensor"
)

// engineText gives the engine's error as text. Where it cannot broadcast, the engine returns a nil pointer
// as an error, which tells nothing.
func engineText(err error) string {
	var refusal *onnx.ErrNotImplemented
	if errors.As(err, &refusal) && refusal == nil {
		return "it cannot broadcast the operands of an elementwise operator"
	}
	return err.Error()
}

// infer decodes the model, runs it once, and returns the output's elements and dims. A second run on one
// decoded model can give the first one's result, so there is none.
func infer(ask protocol.Request, elements []byte) ([]byte, []int64, error) {
	file, err := os.ReadFile(ask.Model)
	if err != nil {
		return nil, nil, err
	}
	engine := gorgonnx.NewGraph()
	model := onnx.NewModel(engine)
	if err := model.UnmarshalBinary(file); err != nil {
		return nil, nil, err
	}
	input, err := carrier(model, ask.Input)
	if err != nil {
		return nil, nil, err
	}
	data := make([]float32, len(elements)/4)
	if _, err := binary.Decode(elements, binary.LittleEndian, data); err != nil {
		return nil, nil, err
	}
	shape := make([]int, len(ask.Dims))
	for i, d := range ask.Dims {
		shape[i] = int(d)
	}
	if err := input.SetTensor(tensor.New(tensor.WithShape(shape...), tensor.WithBacking(data))); err != nil {
		return nil, nil, err
	}
	if err := engine.Run(); err != nil {
		return nil, nil, err
	}
	output, err := carrier(model, ask.Output)
	if err != nil {
		return nil, nil, err
	}
	return encode(output.GetTensor())
}

// carrier finds a value by name: the engine's own SetInput takes input number i for its node number i,
// which is another one where constants come before the input.
func carrier(model *onnx.Model, name string) (onnx.DataCarrier, error) {
	node, ok := model.GetNodeByName(name)
	if !ok {
		return nil, fmt.Errorf("it has lost the value %q", name)
	}
	return node.(onnx.DataCarrier), nil
}

func encode(t tensor.Tensor) ([]byte, []int64, error) {
	if t == nil {
		return nil, nil, errors.New("it gave no output")
	}
	data, ok := t.Data().([]float32)
	if !ok {
		return nil, nil, fmt.Errorf("its output is a %T, not []float32", t.Data())
	}
	var dims []int64
	for _, d := range t.Shape() {
		dims = append(dims, int64(d))
	}
	var out bytes.Buffer
	err := binary.Write(&out, binary.LittleEndian, data)
	return out.Bytes(), dims, err
}
