//go:build unix

package onnxgraph

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyFilesAreLoaded gives each kind of thing that is no file, and links to it, as a model and as its external data: it is
// refused at once. Nobody ever writes to the pipe.
func TestOnlyFilesAreLoaded(t *testing.T) {
	t.Chdir(t.TempDir()) // the path of a socket must be short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	defer socket.Close()
	if err := errors.Join(syscall.Mkfifo("pipe", 0o600), os.Mkdir("folder", 0o755), os.Symlink("/dev/zero", "device")); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"socket", "folder", "device", "pipe"} {
		link := kind + "-link"
		if err := os.Symlink(kind, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{kind, link} {
			if kind != "pipe" { // which is read as a stream, see TestModelInPipe
				if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path+" is a "+kind) {
					t.Errorf("%s as a model: error %v", path, err)
				}
			}
			if kind != "device" { // which is in another folder, where no data may be
				if err := loadWithData(t, path); err == nil || !strings.Contains(err.Error(), ".data is a "+kind) {
					t.Errorf("%s as external data: error %v", path, err)
				}
			}
		}
	}
}

// loadWithData loads a model whose external data is what is at path.
func loadWithData(t *testing.T, path string) error {
	t.Helper()
	m := small(t, 5000)
	if err := m.Save("model.onnx", ExternalAll); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile("model.onnx")
	if err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob("*.data")
	if err != nil || len(files) != 1 {
		t.Fatalf("data files %q, %v", files, err)
	}
	defer os.Remove(files[0])
	if err := errors.Join(os.Remove(files[0]), os.Symlink(path, files[0])); err != nil {
		t.Fatal(err)
	}
	_, err = Parse(data, ".")
	return err
}

// TestModelInPipe reads a model from a named pipe, as from a shell's <(…).
func TestModelInPipe(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := syscall.Mkfifo("pipe", 0o600); err != nil {
		t.Skip("no pipes here: ", err)
	}
	want, err := small(t, 50).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- os.WriteFile("pipe", want, 0o600) }()
	m, err := Load("pipe")
	if err := errors.Join(err, <-written); err != nil {
		t.Fatal(err)
	}
	if got, err := m.Bytes(); err != nil || string(got) != string(want) {
		t.Errorf("the model in the pipe is another, or %v", err)
	}
}

// TestEndlessStream reads models from what never ends.
func TestEndlessStream(t *testing.T) {
	zeros, err := os.Open("/dev/zero")
	if err != nil {
		t.Skip("no such device here: ", err)
	}
	defer zeros.Close()
	for _, c := range []struct {
		name string
		r    io.Reader
		want string
	}{
		{"a device", zeros, "is a device"},
		{"zeros", endless(0), "not an ONNX file"},
		{"text", endless('y'), "not an ONNX file"},
	} {
		if _, err := Read(c.r, "standard input"); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.name, err, c.want)
		}
	}
}

// endless is a stream of one byte, over and over.
type endless byte

func (e endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(e)
	}
	return len(p), nil
}
