package trace

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

const architecture = unix.AUDIT_ARCH_AARCH64

// older are the calls that newer architectures are without: this one has none of them.
var older map[uint64]form

// skip makes the call that a thread is about to do give an error instead.
func skip(thread int, errno unix.Errno) error {
	none := int32(-1)
	set := unix.Iovec{Base: (*byte)(unsafe.Pointer(&none))}
	set.SetLen(int(unsafe.Sizeof(none)))
	const systemCall = 0x404 // NT_ARM_SYSTEM_CALL: the number of the call
	if _, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_SETREGSET, uintptr(thread), systemCall, uintptr(unsafe.Pointer(&set)), 0, 0); e != 0 {
		return e
	}
	var regs unix.PtraceRegsArm64
	const general = 1 // NT_PRSTATUS
	if err := unix.PtraceGetRegSetArm64(thread, general, &regs); err != nil {
		return err
	}
	regs.Regs[0] = uint64(-int64(errno))
	return unix.PtraceSetRegSetArm64(thread, general, &regs)
}
