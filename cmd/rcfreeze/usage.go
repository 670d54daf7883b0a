package main

import (
	"errors"

	"github.com/rcfreeze/rcfreeze"
	"github.com/spf13/cobra"
)

// usageError is a mistake in the command line itself, which has its own exit code.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// usage joins what is wrong with the command line into one usageError, nil if nothing is.
func usage(faults ...error) error {
	if err := errors.Join(faults...); err != nil {
		return usageError{err}
	}
	return nil
}

// workError is an error of a command whose command line could be read.
type workError struct{ error }

func (e workError) Unwrap() error { return e.error }

// tellWorkApart marks the errors of the command's work. All other errors are about the command line: they come from the parser of
// flags, which does not mark its errors.
func tellWorkApart(cmd *cobra.Command) {
	run := cmd.RunE
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := errors.Join(checkNumbers(cmd), checkIdle(cmd)); err != nil {
			return err
		}
		if err := run(cmd, args); err != nil {
			return workError{err}
		}
		return nil
	}
}

// isUsage reports whether the command line is wrong.
func isUsage(err error) bool {
	var work workError
	var wrong usageError
	var options *rcfreeze.OptionsError
	return !errors.As(err, &work) || errors.As(err, &wrong) || errors.As(err, &options)
}
