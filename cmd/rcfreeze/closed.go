//go:build unix

package main

/*
#include <errno.h>
#include <fcntl.h>

static int closed[3];

// Before Go starts, which opens /dev/null in the place of the standard streams that are closed.
__attribute__((constructor)) static void look(void) {
	for (int fd = 0; fd < 3; fd++)
		closed[fd] = fcntl(fd, F_GETFD) == -1 && errno == EBADF;
}

static int was_closed(int fd) { return closed[fd]; }
*/
import "C"

import (
	"io"
	"os"
)

// standardStreams returns standard output and standard error as the program was given them.
func standardStreams() (stdout, stderr io.Writer) {
	stdout, stderr = os.Stdout, os.Stderr
	if C.was_closed(1) != 0 {
		stdout = closedStream{}
	}
	if C.was_closed(2) != 0 {
		stderr = closedStream{}
	}
	return stdout, stderr
}
