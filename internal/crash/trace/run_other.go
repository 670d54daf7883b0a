//go:build !linux || !(amd64 || arm64)

package trace

import (
	"errors"
	"fmt"
	"runtime"
)

// Supported is nil where programs can be watched.
func Supported() error {
	return fmt.Errorf("watching system calls on %s, %s: it needs Linux on amd64 or arm64: %w", runtime.GOOS, runtime.GOARCH, errors.ErrUnsupported)
}

// RunChildIfAsked does nothing here: there is no Run.
func RunChildIfAsked() {}

// Run gives an error here.
func (p *Program) Run(*Injection) (*Outcome, error) { return nil, Supported() }
