// Package orttest gives tests an initialised ONNX Runtime.
package orttest

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Init initialises ONNX Runtime with the library that the product would find, and returns it. Without
// one the test fails, since most of the product would go untested; the message says how to get one.
func Init(t testing.TB) *ort.Library {
	t.Helper()
	lib, err := ort.Init("")
	if err != nil {
		t.Fatal(err)
	}
	return lib
}
