package atomicfile

import "io/fs"

// isOf would report whether a file belongs to a user, but here one cannot remove files of others anyway.
func isOf(int, fs.FileInfo) bool { return true }
