//go:build unix

package dataset

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestOnlyFilesAreRead puts pipes, sockets, folders and devices, and links to them, in the place of every file that is read: each
// is refused at once, by its name. Nobody ever writes to the pipe.
func TestOnlyFilesAreRead(t *testing.T) {
	rgb := Options{Shape: Shape{3, 2, 2}, AnyClasses: true}
	open := func(o Options) func(dir, file string) error {
		return func(dir, file string) error { _, err := Open(dir, o); return err }
	}
	itself := func(o Options) func(dir, file string) error {
		return func(dir, file string) error { _, err := Open(filepath.Join(dir, file), o); return err }
	}
	folder := func(t testing.TB, dir string) { writeFolder(t, dir) }
	for _, c := range []struct {
		name  string
		write func(t testing.TB, dir string)
		file  string // whose place is taken
		open  func(dir, file string) error
	}{
		{"idx images", func(t testing.TB, dir string) { writeIDX(t, dir, 2, 2, 2) }, "train-images-idx3-ubyte", open(Options{})},
		{"idx labels", func(t testing.TB, dir string) { writeIDX(t, dir, 2, 2, 2) }, "train-labels-idx1-ubyte", open(Options{})},
		{"idx labels, named as gzip", func(t testing.TB, dir string) {
			writeIDX(t, dir, 2, 2, 2)
			os.Remove(dir + "/train-labels-idx1-ubyte")
		}, "train-labels-idx1-ubyte.gz", open(Options{})},
		{"cifar10", func(t testing.TB, dir string) { writeCIFAR10(t, dir) }, "data_batch_3.bin", open(Options{})},
		{"cifar10 names", func(t testing.TB, dir string) { writeCIFAR10(t, dir) }, "batches.meta.txt", open(Options{})},
		{"cifar100", func(t testing.TB, dir string) { writeCIFAR100(t, dir) }, "train.bin", open(Options{})},
		{"cifar100 names", func(t testing.TB, dir string) { writeCIFAR100(t, dir) }, "fine_label_names.txt", open(Options{})},
		{"svhn", func(t testing.TB, dir string) { writeSVHN(t, dir) }, "train_32x32.mat", open(Options{})},
		{"npz", folder, "set.npz", itself(Options{})},
		{"a tar file", folder, "set.tar", itself(rgb)},
		{"a tar file in a folder", func(t testing.TB, dir string) {
			writeShards(t, dir, map[string][]int{"train-0.tar": {0}, "train-1.tar": {0}})
		}, "train-1.tar", open(rgb)},
		{"the data set", folder, "set", itself(Options{})},
		{"a PNG in a folder", folder, "train/9/b.PNG", open(rgb)},
		{"a JPEG in a folder", folder, "train/9/deep/b.jpg", open(rgb)},
		{"an image", folder, "a.png", func(dir, file string) error {
			_, err := OpenImages([]string{filepath.Join(dir, file)}, rgb)
			return err
		}},
		{"an image in a folder of images", folder, "train/9/b.jpeg", func(dir, file string) error {
			_, err := OpenImages([]string{dir}, rgb)
			return err
		}},
		{"an image that was a file", folder, "a.png", func(dir, file string) error {
			return readImage(filepath.Join(dir, file), rgb.Shape, rgb, make([]uint8, 12))
		}},
		{"class names", folder, "names.txt", func(dir, file string) error { _, err := ReadClassNames(filepath.Join(dir, file)); return err }},
		{"arrays", folder, "inputs.npz", func(dir, file string) error { _, err := Arrays(filepath.Join(dir, file), Limits{}); return err }},
	} {
		for kind, place := range map[string]func(t *testing.T, path string){
			"a pipe": func(t *testing.T, path string) {
				if err := syscall.Mkfifo(path, 0o600); err != nil {
					t.Skip("no pipes here: ", err)
				}
			},
			"a socket": func(t *testing.T, path string) {
				t.Chdir(filepath.Dir(path)) // the path of a socket must be short
				socket, err := net.Listen("unix", filepath.Base(path))
				if err != nil {
					t.Skip("no sockets here: ", err)
				}
				t.Cleanup(func() { socket.Close() })
			},
			"a device": func(t *testing.T, path string) {
				if err := os.Symlink("/dev/zero", path); err != nil {
					t.Skip("no links here: ", err)
				}
			},
			"a link to a pipe": func(t *testing.T, path string) {
				pipe := filepath.Join(t.TempDir(), "pipe")
				if err := syscall.Mkfifo(pipe, 0o600); err != nil {
					t.Skip("no pipes here: ", err)
				}
				if err := os.Symlink(pipe, path); err != nil {
					t.Skip("no links here: ", err)
				}
			},
		} {
			t.Run(c.name+", "+kind, func(t *testing.T) {
				dir := t.TempDir()
				c.write(t, dir)
				path := filepath.Join(dir, c.file)
				os.Remove(path)
				place(t, path)
				err := c.open(dir, c.file)
				want := path + " is " + strings.TrimPrefix(kind, "a link to ")
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v, want one with %q", err, want)
				}
			})
		}
	}
}
