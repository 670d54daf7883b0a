package onnxgraph

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
)

// TestWhereModelsComeFrom reads one model from a file, a pipe, a stream and memory: it is the same, and knows its place.
func TestWhereModelsComeFrom(t *testing.T) {
	folder := t.TempDir()
	path := filepath.Join(folder, "model.onnx")
	source := small(t, 30000) // more than is looked at together
	if err := source.Save(path, ExternalNone); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		load func() (*Model, error)
		path string
	}{
		{"file", func() (*Model, error) { return Load(path) }, path},
		{"pipe", func() (*Model, error) {
			if _, err := os.Stat("/dev/fd"); err != nil {
				return Read(bytes.NewReader(data), "/dev/fd") // no names for pipes here
			}
			r, w, err := os.Pipe()
			if err != nil {
				return nil, err
			}
			defer r.Close()
			go func() {
				w.Write(data)
				w.Close()
			}()
			m, err := Load(fmt.Sprint("/dev/fd/", r.Fd()))
			if err == nil {
				m.path = "/dev/fd"
			}
			return m, err
		}, "/dev/fd"},
		{"stream", func() (*Model, error) { return Read(iotest.OneByteReader(bytes.NewReader(data)), "stdin") }, "stdin"},
		{"memory", func() (*Model, error) { return Parse(data, folder) }, ""},
		{"memory of no folder", func() (*Model, error) { return Parse(data, "") }, ""},
	} {
		m, err := c.load()
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if m.Path() != c.path || m.Clone().Path() != c.path || !bytes.Equal(weights(t, m), weights(t, source)) || !bytes.Equal(weights(t, m.Clone()), weights(t, source)) {
			t.Errorf("%s: it says that it is from %q, want %q, or has other weights", c.name, m.Path(), c.path)
		}
	}
}

// breaking is a stream that reports an error with the last of the bytes that are looked at first, and goes on.
type breaking struct {
	io.Reader
	given int
}

func (b *breaking) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p[:min(len(p), 1024)])
	if b.given += n; b.given == windowSize {
		return n, errors.New("no luck")
	}
	return n, err
}

// TestLongStreams reads streams up to a limit.
func TestLongStreams(t *testing.T) {
	data, err := small(t, 30000).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for most, refused := range map[int]bool{len(data) + 1: false, len(data): false, len(data) - 1: true, windowSize: true} {
		got, err := readAll(bytes.NewReader(data), int64(most))
		if refused && (err == nil || !strings.Contains(err.Error(), fmt.Sprint("more than the ", most, " bytes"))) {
			t.Errorf("%d bytes where %d may be: got error %v", len(data), most, err)
		}
		if !refused && (err != nil || !bytes.Equal(got, data)) {
			t.Errorf("%d bytes where %d may be: got %d, %v", len(data), most, len(got), err)
		}
	}
}

// TestCannotBeRead has sources of models that fail: the error says what was read, and why not.
func TestCannotBeRead(t *testing.T) {
	external := small(t, 5000)
	path := filepath.Join(t.TempDir(), "model.onnx")
	if err := external.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	whole, err := small(t, 30000).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	w := external.Graph.Value("w").Constant()
	outside := w.copied()
	outside.RawData, outside.DataLocation = nil, (&encoder{}).placeOutside(w, nil, 20000).DataLocation
	for name, c := range map[string]struct {
		read func() error
		want []string
	}{
		"a missing file": {func() error { _, err := Load(path + ".none"); return err }, []string{"loading " + path + ".none", "no such file"}},
		"a folder":       {func() error { _, err := Load(filepath.Dir(path)); return err }, []string{"loading " + filepath.Dir(path), "is a folder"}},
		"a broken stream": {func() error { _, err := Read(iotest.ErrReader(errors.New("no luck")), "stdin"); return err },
			[]string{"loading stdin", "no luck"}},
		"a broken pipe, after some": {func() error {
			_, err := Read(io.MultiReader(bytes.NewReader(data), iotest.ErrReader(errors.New("no luck"))), "stdin")
			return err
		}, []string{"loading stdin", "no luck"}},
		"an empty stream":  {func() error { _, err := Read(strings.NewReader(""), "stdin"); return err }, []string{"loading stdin", "not an ONNX model"}},
		"a stream of text": {func() error { _, err := Read(strings.NewReader("y"), "stdin"); return err }, []string{"loading stdin", "not an ONNX file"}},
		"a stream that breaks once": {func() error { _, err := Read(&breaking{Reader: bytes.NewReader(whole)}, "stdin"); return err },
			[]string{"loading stdin", "no luck"}},
		"external data of a stream":    {func() error { _, err := Read(bytes.NewReader(data), "stdin"); return err }, []string{"loading stdin", "only a model that is read from its file"}},
		"external data of no folder":   {func() error { _, err := Parse(data, ""); return err }, []string{"parsing a model", "only a model that is read from its file"}},
		"external data of a tensor":    {func() error { _, err := ParseTensor(marshal(t, outside)); return err }, []string{"parsing a tensor", "in another file"}},
		"a tensor of too few elements": {func() error { _, err := ParseTensor([]byte("\x08\x05\x10\x01")); return err }, []string{"parsing a tensor", "float32 of dims [5] needs 20 bytes, has 0"}},
		"no tensor":                    {func() error { _, err := ParseTensor([]byte("\xff")); return err }, []string{"parsing a tensor", "cut short"}},
	} {
		err := c.read()
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: got error %v, want one with %q", name, err, want)
			}
		}
	}
}

// TestDamagedFields loads models with one damaged field each, at the end of the file and within its graph, from memory and from
// a file that is larger than what is looked at at a time: each is refused as no ONNX file.
func TestDamagedFields(t *testing.T) {
	sound, err := small(t, 30000).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	inGraph := func(field []byte) []byte {
		return protowire.AppendBytes(protowire.AppendTag(nil, 7, protowire.BytesType), field)
	}
	long := bytes.Repeat([]byte{0xff}, 10)
	for name, field := range map[string][]byte{
		"a tag too long":               append(bytes.Clone(long), 1),
		"a tag cut short":              {0x80},
		"field 0":                      {0x00, 0x00},
		"a number too long":            append([]byte{0x28}, append(bytes.Clone(long), 1)...), // model_version
		"a number cut short":           {0x28, 0x80},
		"a length too long":            append([]byte{0x32}, append(bytes.Clone(long), 1)...), // doc_string
		"a length cut short":           {0x32, 0x80},
		"a length beyond the end":      {0x32, 2, 'x'},
		"a length of 2^63":             append(append([]byte{0x32}, bytes.Repeat([]byte{0x80}, 9)...), 1),
		"a length near 2^64":           append(append([]byte{0x32}, bytes.Repeat([]byte{0xff}, 9)...), 1),
		"4 bytes cut short":            {0xfd, 0x7f, 1, 2, 3},
		"8 bytes cut short":            {0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7},
		"a group":                      {0xfb, 0x7f, 0xfc, 0x7f},
		"the end of a group":           {0xfc, 0x7f},
		"wire type 6":                  {0xfe, 0x7f},
		"an import that is no message": protowire.AppendBytes([]byte{0x42}, []byte{0xff}),
	} {
		for where, damaged := range map[string][]byte{"at the end": field, "in the graph": inGraph(field)} {
			damaged = append(bytes.Clone(sound), damaged...)
			if where == "in the graph" && strings.HasPrefix(name, "an import") {
				continue // field 8 of a graph is none
			}
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := os.WriteFile(path, damaged, 0o644); err != nil {
				t.Fatal(err)
			}
			_, fromMemory := Parse(damaged, "")
			_, fromFile := Load(path)
			for _, err := range []error{fromMemory, fromFile} {
				if err == nil || !strings.Contains(err.Error(), "not an ONNX file, or one that is cut short") {
					t.Errorf("%s %s: got error %v", name, where, err)
				}
			}
		}
	}
	// What is sound but unknown is no damage.
	for name, field := range map[string][]byte{
		"4 bytes": {0xfd, 0x7f, 1, 2, 3, 4}, "8 bytes": {0xf9, 0x7f, 1, 2, 3, 4, 5, 6, 7, 8}, "a number": {0xf8, 0x7f, 0x80, 1}, "text": {0xfa, 0x7f, 1, 'x'}, "empty text": {0xfa, 0x7f, 0},
	} {
		for _, damaged := range [][]byte{field, inGraph(field)} {
			m, err := Parse(append(bytes.Clone(sound), damaged...), "")
			if err != nil {
				t.Errorf("%s of an unknown field: %v", name, err)
				continue
			}
			if again, err := m.Bytes(); err != nil || !bytes.Contains(again, field) {
				t.Errorf("%s of an unknown field was lost, or %v", name, err)
			}
		}
	}
}

// TestLongFields loads models with texts and numbers that reach over the ends of what is looked at of a file at a time.
func TestLongFields(t *testing.T) {
	for _, length := range []int{windowSize - 100, windowSize - 40, windowSize - 20, windowSize, windowSize + 1, 3 * windowSize} {
		typed := &onnxpb.TensorProto{Name: proto.String("typed"), DataType: proto.Int32(1), Dims: []int64{int64(length)}, FloatData: make([]float32, length)}
		text := proto.String(strings.Repeat("t", length))
		data := marshal(t, &onnxpb.ModelProto{IrVersion: proto.Int64(8), DocString: text, Graph: &onnxpb.GraphProto{
			Name: proto.String("g"), DocString: text, Initializer: []*onnxpb.TensorProto{typed}, Input: []*onnxpb.ValueInfoProto{{Name: proto.String("x"), DocString: text}}}})
		path := filepath.Join(t.TempDir(), "m.onnx")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		m, err := Load(path)
		if err != nil {
			t.Errorf("of %d bytes: %v", length, err)
			continue
		}
		if saved, err := m.Bytes(); err != nil || !bytes.Equal(saved, data) {
			t.Errorf("of %d bytes: it is another model in the file, or %v", length, err)
		}
	}
}

// TestNesting reads messages as deep as any reader of ONNX files takes, of which bodies may not be too deep in each other, and
// refuses deeper ones before their depth can do harm.
func TestNesting(t *testing.T) {
	nested := func(levels int) []byte { // bodies in bodies: each level is a graph, a node and an attribute
		graph := []byte{}
		for range levels {
			attribute := append([]byte("\x0a\x01b\xa0\x01\x05"), protowire.AppendBytes([]byte{0x32}, graph)...)
			node := append([]byte("\x22\x02If"), protowire.AppendBytes([]byte{0x2a}, attribute)...)
			graph = protowire.AppendBytes([]byte{0x0a}, node)
		}
		return append([]byte("\x08\x08\x42\x02\x10\x12"), protowire.AppendBytes([]byte{0x3a}, graph)...)
	}
	if m, err := Parse(nested(mostBodies), ""); err != nil || len(m.Graph.AllNodes()) != mostBodies {
		t.Errorf("%d bodies in each other: %v", mostBodies, err)
	}
	for _, levels := range []int{mostBodies + 1, 32, 33} { // of which the last are messages as deep as any may be
		if _, err := Parse(nested(levels), ""); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%d levels deep", levels)) {
			t.Errorf("%d bodies in each other: got error %v", levels, err)
		}
	}
	for _, levels := range []int{34, 3000} {
		if _, err := Parse(nested(levels), ""); err == nil || !strings.Contains(err.Error(), "nested deeper than 100") {
			t.Errorf("%d bodies in each other: got error %v", levels, err)
		}
	}
}
