package main

import (
	"io"
	"os"
)

// standardStreams returns standard output and standard error.
func standardStreams() (stdout, stderr io.Writer) { return os.Stdout, os.Stderr }
