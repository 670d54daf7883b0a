package atomicfile

import "io/fs"

// isOurs reports whether a file belongs to the user: in folders of others one cannot remove files.
func isOurs(fs.FileInfo) bool { return true }
