//go:build amd64 || arm64

package trace

import "golang.org/x/sys/unix"

// here stands for the folder that a process works in, where a call has no descriptor of a folder.
const here = -1

// form says which arguments of a system call name files.
type form struct {
	name string
	fd   int    // the argument with the descriptor, where there are no paths
	from [2]int // the arguments with the folder's descriptor, or here, and the path
	to   [2]int // likewise, of the new name
	// when, if not nil, says by its arguments whether a call changes anything.
	when func(args []uint64) bool
}

func onFile(name string, fd int) form        { return form{name: name, fd: fd} }
func onPath(name string, dir, path int) form { return form{name: name, from: [2]int{dir, path}} }
func onPaths(name string, from, to [2]int) form {
	return form{name: name, from: from, to: to}
}

func (f form) only(when func(args []uint64) bool) form {
	f.when = when
	return f
}

func (f form) hasPath() bool { return f.from != [2]int{} }
func (f form) hasTo() bool   { return f.to != [2]int{} }

func opensToWrite(flags int) func([]uint64) bool {
	return func(args []uint64) bool {
		return args[flags]&(unix.O_WRONLY|unix.O_RDWR|unix.O_CREAT|unix.O_TRUNC) != 0
	}
}

func mapsToWrite(args []uint64) bool {
	return args[2]&unix.PROT_WRITE != 0 && args[3]&unix.MAP_SHARED != 0 && int32(args[4]) >= 0
}

// forms are the calls to watch, by their numbers.
var forms = with(map[uint64]form{
	unix.SYS_OPENAT:          onPath("openat", 0, 1).only(opensToWrite(2)),
	unix.SYS_WRITE:           onFile("write", 0),
	unix.SYS_PWRITE64:        onFile("pwrite64", 0),
	unix.SYS_WRITEV:          onFile("writev", 0),
	unix.SYS_PWRITEV:         onFile("pwritev", 0),
	unix.SYS_PWRITEV2:        onFile("pwritev2", 0),
	unix.SYS_SENDFILE:        onFile("sendfile", 0),
	unix.SYS_COPY_FILE_RANGE: onFile("copy_file_range", 2),
	unix.SYS_SPLICE:          onFile("splice", 2),
	unix.SYS_MMAP:            onFile("mmap", 4).only(mapsToWrite),
	unix.SYS_FTRUNCATE:       onFile("ftruncate", 0),
	unix.SYS_TRUNCATE:        onPath("truncate", here, 0),
	unix.SYS_FALLOCATE:       onFile("fallocate", 0),
	unix.SYS_FSYNC:           onFile("fsync", 0),
	unix.SYS_FDATASYNC:       onFile("fdatasync", 0),
	unix.SYS_CLOSE:           onFile("close", 0),
	unix.SYS_FLOCK:           onFile("flock", 0),
	unix.SYS_FCHMOD:          onFile("fchmod", 0),
	unix.SYS_FCHMODAT:        onPath("fchmodat", 0, 1),
	unix.SYS_FCHMODAT2:       onPath("fchmodat", 0, 1),
	unix.SYS_MKDIRAT:         onPath("mkdir", 0, 1),
	unix.SYS_UNLINKAT:        onPath("unlink", 0, 1),
	unix.SYS_RENAMEAT:        onPaths("rename", [2]int{0, 1}, [2]int{2, 3}),
	unix.SYS_RENAMEAT2:       onPaths("rename", [2]int{0, 1}, [2]int{2, 3}),
	unix.SYS_LINKAT:          onPaths("link", [2]int{0, 1}, [2]int{2, 3}),
	unix.SYS_SYMLINKAT:       onPath("symlink", 1, 2),
}, older)

func with(all, more map[uint64]form) map[uint64]form {
	for number, f := range more {
		all[number] = f
	}
	return all
}
