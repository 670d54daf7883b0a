// Package orttest gives tests an initialized ONNX Runtime.
package orttest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// A test's binary lies in a folder of the go command, from where no library is found. So every program of tests that imports
// this package names the one that make setup has put into .cache/onnxruntime of the source, to itself and to the programs that it
// starts, before a test leaves the folder of its source. A library that RCFREEZE_ORT_LIB names goes before.
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

// Init initializes ONNX Runtime with the library of the source, or that RCFREEZE_ORT_LIB names, and returns it. Without one
// the test fails, since most of the product would go untested; the message says how to get one.
func Init(t testing.TB) *ort.Library {
	t.Helper()
	lib, err := ort.Init("")
	if err != nil {
		t.Fatal(err)
	}
	return lib
}
