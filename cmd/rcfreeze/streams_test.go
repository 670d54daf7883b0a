package main

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// pipe runs the command with a file as standard input.
func pipe(t *testing.T, input, args string) (stdout []byte, stderr string, err error) {
	t.Helper()
	var out, talk bytes.Buffer
	root := newRoot(&printer{stdin: bytes.NewReader(read(t, input)), stdout: &out, stderr: &talk})
	root.SetArgs(strings.Fields(args))
	err = root.ExecuteContext(t.Context())
	return out.Bytes(), talk.String(), err
}

// TestModelsInStreams runs every command that reads or writes a model through standard input and output: what it makes is
// what it makes of files.
func TestModelsInStreams(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	succeed(t, "convert", "net.onnx", "-o", "blocks.onnx", "-E", "2")
	for _, c := range []struct{ command, model, flags, says string }{
		{"new", "lenet", "--input 1x12x12", "written"},
		{"convert", "net.onnx", "-E 3", "written"},
		{"export", "blocks.onnx", "", "written"},
		{"recalibrate", "net.onnx", "--data bands -b 8", "written"},
		{"train", "blocks.onnx", "--data bands --epochs 1 -b 8 --run-dir run", "checkpoints"},
	} {
		input, model := c.model, "-"
		if c.command == "new" {
			input, model = "net.onnx", c.model
		}
		made, talk, err := pipe(t, input, c.command+" "+model+" -o - "+c.flags)
		if err != nil {
			t.Errorf("%s: %v", c.command, err)
			continue
		}
		if !strings.Contains(talk, c.says) || !strings.Contains(talk, "standard output") {
			t.Errorf("%s: the result is not on standard error, or does not say where the model is:\n%s", c.command, talk)
		}
		if err := os.RemoveAll("run"); err != nil {
			t.Fatal(err)
		}
		succeed(t, append([]string{c.command, c.model, "-o", "file.onnx"}, strings.Fields(c.flags)...)...)
		if !bytes.Equal(made, read(t, "file.onnx")) {
			t.Errorf("%s: the model on standard output is not the one in a file", c.command)
		}
	}
	for command, says := range map[string]string{
		"inspect -":           "standard input",
		"eval - --data bands": "top-1",
		"compare - -o comparison --variants baseline --epochs 1 -b 8 --data bands": "baseline",
	} {
		if result, _, err := pipe(t, "net.onnx", command); err != nil || !strings.Contains(string(result), says) {
			t.Errorf("%s: %v, printed %s", command, err, result)
		}
	}
}

// TestStreamsRefused asks for what a stream cannot do.
func TestStreamsRefused(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "external.onnx", "--external-data", "all")
	for _, c := range []struct{ input, args, want string }{
		{"model.onnx", "convert - -o - --json", "both go to standard output"},
		{"model.onnx", "convert - -o - --external-data all", "no place for a data file"},
		{"model.onnx", "train - -o - --data bands", "--run-dir"},
		{"model.onnx", "export - -o out.onnx --source -", "can be read only once"},
		{"external.onnx", "inspect -", "name the file"},
		{"bands/train-labels-idx1-ubyte", "inspect -", "loading standard input: not an ONNX"},
		{os.DevNull, "inspect -", "loading standard input: not an ONNX"},
	} {
		result, _, err := pipe(t, c.input, c.args)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(result) > 0 {
			t.Errorf("%s: got error %v, want one with %q; printed %d bytes", c.args, err, c.want, len(result))
		}
	}

	made, talk, err := pipe(t, "model.onnx", "export external.onnx -o -") // by default as they were read, which a stream cannot
	if err != nil || !strings.Contains(talk, "they are inside the model") {
		t.Errorf("external data to standard output: %v, said %s", err, talk)
	}
	if _, err := onnxgraph.Parse(made, ""); err != nil {
		t.Errorf("external data to standard output: %v", err)
	}
}

// brokenPipe is standard output that nobody reads.
type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("nobody reads") }

func TestBrokenPipe(t *testing.T) {
	workshop(t)
	root := newRoot(&printer{stdout: brokenPipe{}, stderr: new(bytes.Buffer)})
	root.SetArgs([]string{"convert", "model.onnx", "-o", "-"})
	if err := root.Execute(); err == nil || !strings.Contains(err.Error(), "nobody reads") {
		t.Errorf("got error %v", err)
	}
}
