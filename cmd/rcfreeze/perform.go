package main

import (
	"context"
	"errors"

	"github.com/rcfreeze/rcfreeze"
)

// perform does a command's work on a model, and prints the result. wrong is an error about flags. It is reported together with
// errors about the options, before the model is read. Work that failed in part has a result beside its error, which is printed,
// too.
func perform[O interface{ Validate() error }, R any](ctx context.Context, p *printer, path string, wrong error, o O, do func(context.Context, *rcfreeze.Model, O) (R, error), print func(R)) error {
	if err := errors.Join(wrong, o.Validate()); err != nil {
		return err
	}
	m, err := p.load(path)
	if err != nil {
		return err
	}
	r, err := do(ctx, m, o)
	var none R
	if err == nil {
		return p.result(r, func() { print(r) })
	}
	if any(r) != any(none) {
		err = errors.Join(err, p.result(r, func() { print(r) }))
	}
	return err
}
