//go:build !windows

package ort

/*
#cgo linux LDFLAGS: -ldl
#include <dlfcn.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

// The head of ONNX Runtime's OrtApiBase, which is the same in every version.
typedef struct {
	const void *(*GetApi)(uint32_t version);
	const char *(*GetVersionString)(void);
} api_base;

// copy_loader_error returns the loader's last message, to be freed by the caller.
static char *copy_loader_error(void) {
	const char *message = dlerror();
	return strdup(message ? message : "unknown error");
}

// library_version returns the version, or NULL with *problem set; the caller frees both. Every call of
// the loader is in one C function, because its last message belongs to the thread.
static char *library_version(const char *path, char **problem) {
	*problem = NULL;
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library) {
		*problem = copy_loader_error();
		return NULL;
	}
	const api_base *(*get_base)(void) = (const api_base *(*)(void))dlsym(library, "OrtGetApiBase");
	char *version = NULL;
	if (get_base)
		version = strdup(get_base()->GetVersionString());
	else
		*problem = copy_loader_error();
	dlclose(library);
	return version;
}

// load_problem returns why a library cannot be loaded, NULL if it can; the caller frees it.
static char *load_problem(const char *path) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	if (!library)
		return copy_loader_error();
	dlclose(library);
	return NULL;
}
*/
import "C"

import (
	"errors"
	"unsafe"
)

// readVersion returns the version of the ONNX Runtime library in a file, such as "1.24.3", without
// initializing it.
func readVersion(path string) (string, error) {
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	var problem *C.char
	version := C.library_version(cPath, &problem)
	defer C.free(unsafe.Pointer(problem))
	defer C.free(unsafe.Pointer(version))
	if problem != nil {
		return "", errors.New(C.GoString(problem))
	}
	return C.GoString(version), nil
}

// tryLoad returns the loader's error for a shared library that it cannot load.
func tryLoad(path string) error {
	cPath := C.CString(path)
	defer C.free(unsafe.Pointer(cPath))
	problem := C.load_problem(cPath)
	if problem == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(problem))
	return errors.New(C.GoString(problem))
}
