//go:build unix

package plainfile

import (
	"errors"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyFilesAreOpened opens each kind of thing that is no file, and links to it: it is refused at once. Nobody ever writes to
// the pipe.
func TestOnlyFilesAreOpened(t *testing.T) {
	t.Chdir(t.TempDir()) // the path of a socket must be short
	socket, err := net.Listen("unix", "socket")
	if err != nil {
		t.Skip("no sockets here: ", err)
	}
	defer socket.Close()
	if err := errors.Join(syscall.Mkfifo("pipe", 0o600), os.Mkdir("folder", 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ path, want string }{
		{"pipe", "is a pipe"}, {"socket", "is a socket"}, {"folder", "is a folder"}, {"/dev/zero", "is a device"}, {"/dev/tty", "is a device"},
	} {
		if _, err := os.Lstat(c.path); err != nil {
			continue // a system without it
		}
		link := strings.ReplaceAll(c.path, "/", "-") + "-link"
		if err := os.Symlink(c.path, link); err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{c.path, link} {
			_, _, opening := Open(path)
			_, reading := Read(path, 10)
			for _, err := range []error{opening, reading} {
				if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("%s: error %v, want one with %q", path, err, c.want)
				}
			}
		}
	}
}

func TestRead(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.WriteFile("file", []byte("text"), 0o600), os.Symlink("file", "link")); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"file", "link"} {
		if data, err := Read(path, 4); err != nil || string(data) != "text" {
			t.Errorf("%s: read %q, %v", path, data, err)
		}
		f, info, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Size() != 4 {
			t.Errorf("%s: has %d bytes", path, info.Size())
		}
		f.Close()
		if _, err := Read(path, 3); err == nil || !strings.Contains(err.Error(), "has 4 bytes, needs at most 3") {
			t.Errorf("%s, which is too large: error %v", path, err)
		}
	}
	if _, err := Read("none", 3); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
}
