package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"

	"golang.org/x/term"
)

// stream is standard output or standard error: it remembers the first error of writing to it.
type stream struct {
	io.Writer
	broken func() // called when the reader of the stream has ended

	mutex sync.Mutex
	err   error
}

// Write implements io.Writer.
func (s *stream) Write(p []byte) (int, error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	n, err := s.Writer.Write(p)
	if err == nil {
		return n, nil
	}
	err = reason(err)
	if s.err == nil {
		s.err = err
	}
	if errors.Is(err, syscall.EPIPE) {
		s.broken()
	}
	return n, err
}

// errUnread is the error of a command that did its work, but whose reader ended before it had the whole result.
var errUnread = workError{errors.New("the program that reads the result ended before it had all of it")}

// explain returns the error of a command that has written its result to the stream. If a part of the result was lost, the command
// failed.
func (s *stream) explain(err error) error {
	if s.err == nil || err != nil && !errors.Is(err, s.err) {
		return err
	}
	work := workError{err}
	errors.As(err, &work)
	switch done := work.error == nil || work.error == s.err; {
	case done && errors.Is(s.err, syscall.EPIPE):
		return errUnread
	case done:
		return workError{fmt.Errorf("writing the result to standard output: %w", s.err)}
	}
	return workError{err}
}

// reason removes the parts of a write error that the message contains anyway.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// isTerminal reports whether w is a terminal, where a person reads the output.
func isTerminal(w io.Writer) bool {
	if s, ok := w.(*stream); ok {
		w = s.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// closedStream is a standard stream that was closed when the program started. Writing to it would write to any file that has got
// its number since.
type closedStream struct{}

func (closedStream) Write([]byte) (int, error) { return 0, errors.New("it is closed") }
