//go:build !windows

package atomicfile

import (
	"io/fs"
	"syscall"
)

// isOf reports whether a file belongs to a user.
func isOf(user int, info fs.FileInfo) bool {
	status, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(status.Uid) == user
}
