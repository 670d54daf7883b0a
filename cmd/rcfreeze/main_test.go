package main

import (
	"bytes"
	"context"
	"encoding/json"
	"image"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// asProgram has a test's process, which then is one that a test started, be the program itself.
const asProgram = "RCFREEZE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
	}
	runtime.GOMAXPROCS(1) // so that sessions take one thread, and give the same numbers on every machine
	os.Exit(m.Run())
}

// call runs the command as main does.
func call(args ...string) (stdout, stderr string, code int) {
	var out, talk bytes.Buffer
	code = execute(context.Background(), args, &out, &talk)
	return out.String(), talk.String(), code
}

// succeed runs the command, which must succeed, and returns what it printed.
func succeed(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := call(args...)
	if code != exitDone {
		t.Fatalf("rcfreeze %s: exit code %d:\n%s", strings.Join(args, " "), code, stderr)
	}
	return stdout
}

// succeedJSON runs the command with --json: what it prints must be one document of type T and no more.
func succeedJSON[T any](t *testing.T, args ...string) T {
	t.Helper()
	stdout := succeed(t, append(args, "--json")...)
	var document T
	d := json.NewDecoder(strings.NewReader(stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&document); err != nil {
		t.Fatalf("rcfreeze %s --json: %v:\n%s", strings.Join(args, " "), err, stdout)
	}
	if _, err := d.Token(); err != io.EOF {
		t.Fatalf("rcfreeze %s --json prints more than one document:\n%s", strings.Join(args, " "), stdout)
	}
	return document
}

const (
	side                  = 12 // of an image
	classCount            = 3
	trainCount, testCount = 48, 21
)

// pixel is that of image i, whose class is i modulo classCount: a bright band on a dark, uneven ground.
func pixel(i, x, y int) byte {
	if y/(side/classCount) == i%classCount {
		return byte(200 + (i+x)%50)
	}
	return byte((i*7 + x*3 + y) % 40)
}

// workshop moves the test into a folder of its own with ONNX Runtime ready, a data set "bands" and a model
// "model.onnx" for it.
func workshop(t *testing.T) {
	t.Helper()
	orttest.Init(t)
	t.Chdir(t.TempDir())
	writeBands(t, "bands", classCount)
	succeed(t, "new", "lenet", "-o", "model.onnx", "--input", "1x12x12", "--classes", "3", "--width", "3")
}

// writeBands writes a data set in MNIST's format whose labels are the image's number modulo so many classes.
func writeBands(t *testing.T, folder string, classes int) {
	t.Helper()
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for prefix, n := range map[string]int{"train": trainCount, "t10k": testCount} {
		labels := make([]byte, n)
		for i := range labels {
			labels[i] = byte(i % classes)
		}
		datasettest.WriteIDX(t, folder, prefix, side, labels, pixel)
	}
}

// writeFolders writes a data set of folders, with two black images per class and split.
func writeFolders(t *testing.T, folder string, classes ...string) {
	t.Helper()
	var black bytes.Buffer
	if err := png.Encode(&black, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
		t.Fatal(err)
	}
	for _, split := range []string{"train", "val"} {
		for _, class := range classes {
			path := filepath.Join(folder, split, class)
			if err := os.MkdirAll(path, 0o755); err != nil {
				t.Fatal(err)
			}
			write(t, filepath.Join(path, "a.png"), black.Bytes())
			write(t, filepath.Join(path, "b.png"), black.Bytes())
		}
	}
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// writeModel writes a model even if it is not valid, as other tools may.
func writeModel(t *testing.T, path string, m *onnxgraph.Model) {
	t.Helper()
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	write(t, path, data)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
