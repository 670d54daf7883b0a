// Package orttest gives tests an initialized ONNX Runtime.
package orttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// The go command puts test binaries into a temporary folder, from which they would not find the library. So every test binary
// that imports this package sets RCFREEZE_ORT_LIB to the library in .cache/onnxruntime of the source, where `make setup` puts it,
// for itself and for the programs that it starts. If RCFREEZE_ORT_LIB is already set, it stays.
func init() {
	if os.Getenv(ort.LibraryVariable) != "" {
		return
	}
	folder, err := os.Getwd()
	for err == nil && folder != filepath.Dir(folder) {
		cache := filepath.Join(folder, ".cache", "onnxruntime")
		if _, missing := os.Stat(cache); missing == nil {
			os.Setenv(ort.LibraryVariable, cache)
			return
		}
		folder = filepath.Dir(folder)
	}
}

// Init initializes ONNX Runtime with the library that RCFREEZE_ORT_LIB names, and returns it. Without a library the test fails,
// because most of the program would not be tested. The message says how to get a library.
func Init(t testing.TB) *ort.Library {
	t.Helper()
	lib, err := ort.Init("")
	if err != nil {
		t.Fatal(err)
	}
	return lib
}
