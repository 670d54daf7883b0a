//go:build amd64 || arm64

package trace

import (
	"fmt"
	"os"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// asked is the variable by which Run asks a copy of this program to become the one to watch.
const asked = "RCFREEZE_CRASH_TRACED"

// RunChildIfAsked must be the first call in a program that uses Run. Run starts the program again; the copy asks the kernel to
// stop only at the calls to watch, and then becomes the program to watch.
func RunChildIfAsked() {
	if os.Getenv(asked) == "" {
		return
	}
	os.Unsetenv(asked)
	fmt.Fprintln(os.Stderr, "starting the program to watch:", become(os.Args[1:]))
	os.Exit(127)
}

func become(args []string) error {
	runtime.LockOSThread() // the filter applies to this thread, and to the program that it becomes
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("giving up further rights, which a filter needs: %w", err)
	}
	instructions := filter()
	program := unix.SockFprog{Len: uint16(len(instructions)), Filter: &instructions[0]}
	if _, _, e := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&program))); e != 0 {
		return fmt.Errorf("filtering its system calls: %w", e)
	}
	return syscall.Exec(args[0], args, os.Environ())
}

// filter returns a program for the kernel that stops at the calls of forms.
func filter() []unix.SockFilter {
	const numberAt, architectureAt = 0, 4 // offsets in seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	give := func(what uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: what}
	}
	unlessEqual := func(k uint32) unix.SockFilter { // skips the next one
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: k}
	}
	equal := func(k uint32) unix.SockFilter { // skips the next one
		return unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 1, K: k}
	}
	list := []unix.SockFilter{load(architectureAt), equal(architecture), give(unix.SECCOMP_RET_ALLOW), load(numberAt)}
	for number := range forms {
		list = append(list, unlessEqual(uint32(number)), give(unix.SECCOMP_RET_TRACE))
	}
	return append(list, give(unix.SECCOMP_RET_ALLOW))
}
