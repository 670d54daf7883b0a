package trace

import "golang.org/x/sys/unix"

const architecture = unix.AUDIT_ARCH_X86_64

// older are the calls that newer architectures are without.
var older = map[uint64]form{
	unix.SYS_OPEN:    onPath("openat", here, 0).only(opensToWrite(1)),
	unix.SYS_CREAT:   onPath("openat", here, 0),
	unix.SYS_CHMOD:   onPath("fchmodat", here, 0),
	unix.SYS_MKDIR:   onPath("mkdir", here, 0),
	unix.SYS_RMDIR:   onPath("rmdir", here, 0),
	unix.SYS_UNLINK:  onPath("unlink", here, 0),
	unix.SYS_RENAME:  onPaths("rename", [2]int{here, 0}, [2]int{here, 1}),
	unix.SYS_LINK:    onPaths("link", [2]int{here, 0}, [2]int{here, 1}),
	unix.SYS_SYMLINK: onPath("symlink", here, 1),
}

// skip makes the call that a thread is about to do give an error instead.
func skip(thread int, errno unix.Errno) error {
	var regs unix.PtraceRegs
	if err := unix.PtraceGetRegs(thread, &regs); err != nil {
		return err
	}
	regs.Orig_rax = ^uint64(0)
	regs.Rax = uint64(-int64(errno))
	return unix.PtraceSetRegs(thread, &regs)
}
