package ort

/*
#include <stdint.h>

// The head of ONNX Runtime's OrtApiBase, which is the same in every version.
typedef struct {
	const void *(*GetApi)(uint32_t version);
	const char *(*GetVersionString)(void);
} api_base;

static const char *version_of(uintptr_t base) {
	return ((const api_base *)base)->GetVersionString();
}
*/
import "C"

import "syscall"

// readVersion returns the version of the ONNX Runtime library in a file, such as "1.24.3", without
// initializing it.
func readVersion(path string) (string, error) {
	library, err := syscall.LoadDLL(path)
	if err != nil {
		return "", err
	}
	defer library.Release()
	getBase, err := library.FindProc("OrtGetApiBase")
	if err != nil {
		return "", err
	}
	base, _, _ := getBase.Call()
	return C.GoString(C.version_of(C.uintptr_t(base))), nil
}

// tryLoad returns the loader's error for a shared library that it cannot load.
func tryLoad(path string) error {
	library, err := syscall.LoadDLL(path)
	if err != nil {
		return err
	}
	return library.Release()
}
