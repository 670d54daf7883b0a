//go:build !windows

package atomicfile

import (
	"io/fs"
	"os"
	"syscall"
)

// isOurs reports whether a file belongs to the user.
func isOurs(info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == os.Geteuid()
}
