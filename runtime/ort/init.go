package ort

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"
)

// initialized is the library of this process, nil until Init succeeds.
var initialized struct {
	sync.Mutex
	library *Library
}

var errNotInitialized = errors.New("ONNX Runtime is not initialized: call Init first")

// Init finds the shared library as Find does and initializes ONNX Runtime, once per process: later
// calls return the same Library, or an error if they name another file.
func Init(explicit string) (*Library, error) {
	initialized.Lock()
	defer initialized.Unlock()
	if lib := initialized.library; lib != nil && explicit == "" {
		return lib, nil
	}
	found, err := Find(explicit)
	if err != nil {
		return nil, err
	}
	if lib := initialized.library; lib != nil {
		if !sameFile(lib.Path, found.Path) {
			return nil, fmt.Errorf("initializing ONNX Runtime: this process already uses %s and cannot change to %s", lib.Path, found.Path)
		}
		return lib, nil
	}
	capi.SetSharedLibraryPath(found.Path)
	// ONNX Runtime also logs the errors that it returns. It may only print errors that it cannot return.
	if err := capi.InitializeEnvironment(capi.WithLogLevelFatal()); err != nil {
		return nil, fmt.Errorf("initializing ONNX Runtime from %s: %w", found.Path, err)
	}
	initialized.library = found
	return found, nil
}

// libraryPath returns the file of the library that Init initialized.
func libraryPath() string {
	initialized.Lock()
	defer initialized.Unlock()
	if initialized.library == nil {
		return ""
	}
	return initialized.library.Path
}

func sameFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}
