package onnxgraph

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
)

// TestDataFileLayout saves tensors of several sizes outside of the model file. Each begins at a multiple of 4096 bytes, so that a
// runtime can map the file into memory, at the place that the model gives, behind the one before and without more space than
// that takes; those below 1 KiB stay in the model file.
func TestDataFileLayout(t *testing.T) {
	m := New("g", 8, 18)
	sizes := []int{4, 1020, 1024, 4096, 4100, 1 << 16, 8188}
	for i, size := range sizes {
		v := m.Graph.AddConstant(fmt.Sprint("w", i), NewRawTensor(Float32, []int64{int64(size / 4)}, pattern(size, i+1)))
		m.Graph.AddOutput(m.Graph.AddNode("Relu", []*Value{v}).Output(0), Float32, nil)
	}
	folder := t.TempDir()
	path := filepath.Join(folder, "m.onnx")
	if err := m.Save(path, ExternalAll); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	saved := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(text, saved); err != nil {
		t.Fatal(err)
	}
	end := int64(0)
	var data []byte
	for i, p := range saved.Graph.Initializer {
		if sizes[i] < 1024 {
			if len(p.RawData) != sizes[i] || len(p.ExternalData) > 0 {
				t.Errorf("a tensor of %d bytes is not in the model file", sizes[i])
			}
			continue
		}
		entry := map[string]string{}
		for _, e := range p.ExternalData {
			entry[e.GetKey()] = e.GetValue()
		}
		offset, err := strconv.ParseInt(entry["offset"], 10, 64)
		if err != nil || entry["length"] != strconv.Itoa(sizes[i]) || p.RawData != nil {
			t.Fatalf("a tensor of %d bytes is said to be at %v", sizes[i], entry)
		}
		if offset%4096 != 0 || offset < end || offset-end >= 4096 {
			t.Errorf("a tensor of %d bytes begins at %d, the one before ends at %d", sizes[i], offset, end)
		}
		end = offset + int64(sizes[i])
		if data, err = os.ReadFile(filepath.Join(folder, entry["location"])); err != nil {
			t.Fatal(err)
		}
		if int64(len(data)) < end || !bytes.Equal(data[offset:end], pattern(sizes[i], i+1)) {
			t.Errorf("the %d bytes at %d are not those of the tensor", sizes[i], offset)
		}
	}
	if int64(len(data)) != end {
		t.Errorf("the data file has %d bytes, its last tensor ends at %d", len(data), end)
	}
	loaded, err := Load(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range loaded.Graph.Initializers() {
		if raw, err := v.Constant().Raw(); err != nil || !bytes.Equal(raw, pattern(sizes[i], i+1)) {
			t.Errorf("%s: other elements, or %v", v.Name(), err)
		}
	}
}

// TestExternalEntries loads a tensor of two float32 from a data file of 16 bytes, as its entries say, in the ways that ONNX
// allows, and refuses what is no place in the file.
func TestExternalEntries(t *testing.T) {
	data := pattern(16, 3)
	for _, c := range []struct {
		entries string // key and value of each
		from    int    // where the elements are in the data
		refused string
	}{
		{"location d", 0, ""},
		{"location d offset 0 length 8", 0, ""},
		{"location d offset 4", 4, ""},
		{"location d offset 4 length 8", 4, ""},
		{"length 8 offset 8 location d", 8, ""},
		{"location d offset 8 length 0", 8, ""}, // as if there were none
		{"location d offset 8 checksum 1234", 8, ""},
		{"location d offset 9", 0, "needs 8 bytes at 9 of"},
		{"location d offset 16", 0, "needs 8 bytes at 16 of"},
		{"location d offset 17", 0, "needs 8 bytes at 17 of"},
		{"location d offset 9 length 8", 0, "needs 8 bytes at 9 of"},
		{"location d length 17", 0, "needs 17 bytes at 0 of"},
		{"location d length 4", 0, "needs 8 bytes, has 4"},
		{"location d length 12", 0, "needs 8 bytes, has 12"},
		{"location d length 9223372036854775807 offset 8", 0, "needs 9223372036854775807 bytes at 8 of"},
		{"location d offset -4", 0, `offset is "-4", not a number of bytes`},
		{"location d length -1", 0, `length is "-1", not a number of bytes`},
		{"location d offset 0x8", 0, `offset is "0x8", not a number of bytes`},
		{"location d offset 9223372036854775808", 0, "not a number of bytes"},
		{"offset 8", 0, "without a location"},
		{"location .", 0, "is a folder"}, // the folder itself
	} {
		m := &onnxpb.ModelProto{}
		if err := prototext.Unmarshal([]byte(`ir_version: 8 opset_import {version: 18} graph {
			initializer {name: "w" data_type: 1 dims: 2 data_location: EXTERNAL}}`), m); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields(c.entries)
		for i := 0; i < len(words); i += 2 {
			m.Graph.Initializer[0].ExternalData = append(m.Graph.Initializer[0].ExternalData,
				&onnxpb.StringStringEntryProto{Key: &words[i], Value: &words[i+1]})
		}
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "d"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		loaded, err := Parse(marshal(t, m), folder)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: got error %v, want one with %q", c.entries, err, c.refused)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.entries, err)
			continue
		}
		if raw := weights(t, loaded); !bytes.Equal(raw, data[c.from:c.from+8]) {
			t.Errorf("%s: got % x, want those at %d of % x", c.entries, raw, c.from, data)
		}
	}
}

// TestExternalDataOfUnknownLength has tensors in a data file of a type of a newer ONNX, of which nobody here knows how long they are:
// where the entries do not say it, all the rest of the file is theirs.
func TestExternalDataOfUnknownLength(t *testing.T) {
	data := pattern(16, 3)
	for _, c := range []struct {
		entries  string
		from, to int // where the elements are in the data; -1 for nowhere
	}{{"", 0, 16}, {"offset 4", 4, 16}, {"offset 4 length 3", 4, 7}, {"offset 16", 16, 16}, {"offset 17", -1, 0}} {
		m := &onnxpb.ModelProto{}
		if err := prototext.Unmarshal([]byte(`ir_version: 8 graph {initializer {name: "w" data_type: 99 dims: 2 data_location: EXTERNAL}}`), m); err != nil {
			t.Fatal(err)
		}
		words := strings.Fields("location d " + c.entries)
		for i := 0; i < len(words); i += 2 {
			m.Graph.Initializer[0].ExternalData = append(m.Graph.Initializer[0].ExternalData, &onnxpb.StringStringEntryProto{Key: &words[i], Value: &words[i+1]})
		}
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "d"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		loaded, err := Parse(marshal(t, m), folder)
		if c.from < 0 {
			if err == nil || !strings.Contains(err.Error(), "which has 16") {
				t.Errorf("%s: got error %v", c.entries, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", c.entries, err)
			continue
		}
		saved, err := loaded.Bytes()
		if err == nil {
			err = proto.Unmarshal(saved, m)
		}
		if err != nil || !bytes.Equal(m.Graph.Initializer[0].RawData, data[c.from:c.to]) {
			t.Errorf("%s: saved with % x, %v", c.entries, m.Graph.Initializer[0].RawData, err)
		}
	}
}

// TestEmptyExternalTensor loads a tensor without elements whose data is said to be in a file, which may be empty, too.
func TestEmptyExternalTensor(t *testing.T) {
	for _, size := range []int{0, 16} {
		folder := t.TempDir()
		if err := os.WriteFile(filepath.Join(folder, "d"), make([]byte, size), 0o644); err != nil {
			t.Fatal(err)
		}
		m := &onnxpb.ModelProto{}
		if err := prototext.Unmarshal([]byte(`ir_version: 8 graph {initializer {name: "w" data_type: 1 dims: 0 dims: 3
			data_location: EXTERNAL external_data {key: "location" value: "d"}}}`), m); err != nil {
			t.Fatal(err)
		}
		loaded, err := Parse(marshal(t, m), folder)
		if err != nil {
			t.Errorf("in %d bytes: %v", size, err)
			continue
		}
		if raw := weights(t, loaded); len(raw) != 0 {
			t.Errorf("in %d bytes: it has %d", size, len(raw))
		}
	}
}

// TestEveryChangeIsSeen changes the file that a loaded model's weights are in, in one respect each: reading them says so.
func TestEveryChangeIsSeen(t *testing.T) {
	for _, mode := range []ExternalMode{ExternalNone, ExternalAll} {
		for name, change := range map[string]func(path string, was os.FileInfo) error{
			"other bytes, other time": func(path string, was os.FileInfo) error {
				return os.Chtimes(path, time.Time{}, was.ModTime().Add(time.Second))
			},
			"longer, same time": func(path string, was os.FileInfo) error {
				if err := os.Truncate(path, was.Size()+1); err != nil {
					return err
				}
				return os.Chtimes(path, time.Time{}, was.ModTime())
			},
			"another file, same size and time": func(path string, was os.FileInfo) error {
				other := path + ".other"
				if err := os.WriteFile(other, make([]byte, was.Size()), 0o644); err != nil {
					return err
				}
				if err := os.Chtimes(other, time.Time{}, was.ModTime()); err != nil {
					return err
				}
				return os.Rename(other, path)
			},
		} {
			path := filepath.Join(t.TempDir(), "m.onnx")
			if err := small(t, 5000).Save(path, mode); err != nil {
				t.Fatal(err)
			}
			m, err := Load(path)
			if err != nil {
				t.Fatal(err)
			}
			w := m.Graph.Value("w").Constant()
			want := bytes.Clone(weights(t, m))
			in := path
			if mode == ExternalAll {
				in = filepath.Join(filepath.Dir(path), lookup(w.proto.ExternalData, "location"))
			}
			was, err := os.Stat(in)
			if err == nil {
				err = change(in, was)
			}
			if err != nil {
				t.Fatal(err)
			}
			raw, err := w.Raw()
			if mode == ExternalNone && strings.HasPrefix(name, "another file") {
				// The file that was opened is still there.
				if err != nil || !bytes.Equal(raw, want) {
					t.Errorf("mode %d, %s: the weights changed, or %v", mode, name, err)
				}
				continue
			}
			if err == nil || !strings.Contains(err.Error(), "has been changed since") {
				t.Errorf("mode %d, %s: got error %v", mode, name, err)
			}
		}
	}
}
