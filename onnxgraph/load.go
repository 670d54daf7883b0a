package onnxgraph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// Load reads an ONNX file. Large tensors stay in their files. Load checks that these files exist, are long enough, and are in the
// model's folder: the folder of path or, if path is a link, that of the file that it points to. The error lists all faults.
func Load(path string) (*Model, error) {
	m, err := load(path)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", path, err)
	}
	return m, nil
}

func load(path string) (*Model, error) {
	if info, err := os.Stat(path); err == nil && info.Mode()&fs.ModeNamedPipe != 0 {
		f, err := os.Open(path)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		return readStream(f, path, dataFolders(path))
	}
	f, info, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" {
		return parse(fileWindow(f, info), path, dataFolders(path))
	}
	defer f.Close() // an open file could not be replaced on Windows
	return readStream(f, path, dataFolders(path))
}

// Read reads a model from a stream; messages and Path use the given name for it. It refuses models with external data, because a
// stream has no folder, and devices such as a terminal.
func Read(r io.Reader, name string) (*Model, error) {
	m, err := readStream(r, name, nil)
	if err != nil {
		return nil, fmt.Errorf("loading %s: %w", name, err)
	}
	return m, nil
}

// readStream reads a model until the stream ends.
func readStream(r io.Reader, name string, folders []string) (*Model, error) {
	if f, ok := r.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&fs.ModeDevice != 0 {
			return nil, errors.New("it is a device: give a file, or a pipe that ends with the model")
		}
	}
	data, err := readAll(r, 1<<31-1) // the largest protobuf message, in bytes
	if err != nil {
		return nil, err
	}
	return parse(memoryWindow(data), name, folders)
}

// readAll reads a stream until it ends. It fails if the stream has more than most bytes.
func readAll(r io.Reader, most int64) ([]byte, error) {
	start, err := readStart(r)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(io.MultiReader(bytes.NewReader(start), r), most+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > most {
		return nil, fmt.Errorf("not an ONNX file: it has more than the %d bytes that one can have", most)
	}
	return data, nil
}

// readStart reads the first bytes of a stream. It fails if no ONNX file begins like that, so that we do not collect a stream that
// never ends.
func readStart(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, windowSize))
	if err != nil || len(data) < windowSize {
		return data, err
	}
	number, _, n := protowire.ConsumeTag(data)
	if n < 0 || (*onnxpb.ModelProto)(nil).ProtoReflect().Descriptor().Fields().ByNumber(number) == nil {
		return nil, fmt.Errorf("not an ONNX file: it begins with %q", data[:8])
	}
	return data, nil
}

// Parse reads a model from the bytes of an ONNX file. It keeps data, so the caller must not change it afterwards. External data
// must be in folder; if folder is "", Parse refuses models with external data.
func Parse(data []byte, folder string) (*Model, error) {
	var folders []string
	if folder != "" {
		folders = []string{folder}
	}
	m, err := parse(memoryWindow(data), "", folders)
	if err != nil {
		return nil, fmt.Errorf("parsing a model: %w", err)
	}
	return m, nil
}

// ParseTensor reads a tensor from the bytes of a file that contains only a tensor, such as the inputs and outputs of ONNX's test
// models.
func ParseTensor(data []byte) (*Tensor, error) {
	p := &onnxpb.TensorProto{}
	if err := proto.Unmarshal(data, p); err != nil {
		return nil, fmt.Errorf("parsing a tensor: not an ONNX tensor, or one that is cut short: %w", err)
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		return nil, errors.New("parsing a tensor: its data is in another file, which only a model can have")
	}
	t := &Tensor{proto: p}
	if err := t.validate(); err != nil {
		return nil, fmt.Errorf("parsing a tensor: %w", err)
	}
	return t, nil
}

func parse(file window, path string, folders []string) (*Model, error) {
	t := &taker{window: file}
	rest, err := t.take()
	if err != nil {
		return nil, fmt.Errorf("not an ONNX file, or one that is cut short: %w", err)
	}
	p := &onnxpb.ModelProto{}
	if err := (proto.UnmarshalOptions{RecursionLimit: deepest + 1}).Unmarshal(rest, p); err != nil {
		return nil, fmt.Errorf("not an ONNX file, or one that is cut short: %w", err)
	}
	if p.Graph == nil {
		return nil, errors.New("not an ONNX model: the file has no graph")
	}
	source := &modelFile{taken: t.taken, folders: folders}
	l := link(p, source.tensor)
	m := l.model
	if err := errors.Join(append(l.faults, m.Validate())...); err != nil {
		return nil, err
	}
	m.path = path
	return m, nil
}

// modelFile knows where the tensors of a model that is being read have their elements.
type modelFile struct {
	taken   []taking // the raw data of the file
	folders []string // that may hold external data
}

// tensor wraps a tensor of the file.
func (f *modelFile) tensor(p *onnxpb.TensorProto) *Tensor {
	t := &Tensor{proto: p}
	if p.RawData != nil {
		raw := f.taken[placeholderNumber(p.RawData)]
		p.RawData = raw.bytes
		if raw.source != nil {
			t.source = raw.source
		}
	}
	if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL && t.Len() == 0 {
		// An empty tensor has no bytes in another file, so it becomes an ordinary empty tensor: ONNX Runtime ends the process if
		// it has to map no bytes.
		p.DataLocation, p.ExternalData = nil, nil
	} else if p.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
		t.source = &externalData{folders: f.folders, entries: p.ExternalData, needed: t.rawBytes()}
	}
	return t
}
