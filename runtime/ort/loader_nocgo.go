//go:build !windows && !cgo

package ort

import "github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

// readVersion and tryLoad need the system's loader, which needs C.
func readVersion(string) (string, error) { return "", capi.ErrNoCgo }

func tryLoad(string) error { return capi.ErrNoCgo }
