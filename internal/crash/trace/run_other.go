//go:build !linux || !(amd64 || arm64)

package trace

import (
	"errors"
	"fmt"
	"runtime"
)

// Supported returns an error: programs cannot be watched on this system.
func Supported() error {
	return fmt.Errorf("watching system calls on %s, %s: it needs Linux on amd64 or arm64: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

// RunChildIfAsked does nothing here: there is no Run.
func RunChildIfAsked() {}

// Run fails on this system.
func (p *Program) Run(*Injection) (*Outcome, error) { return nil, Supported() }
