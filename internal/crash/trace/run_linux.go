//go:build amd64 || arm64

package trace

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported returns an error if programs cannot be watched on this system.
func Supported() error {
	idle, err := exec.LookPath("true")
	if err != nil {
		return err
	}
	p := Program{Args: []string{idle}}
	if _, err := p.Run(nil); err != nil {
		return fmt.Errorf("trying whether this system lets a process watch others (in a container, ptrace and seccomp must be permitted): %w", err)
	}
	return nil
}

// tracer watches one program. It stays on one system thread, as ptrace requires.
type tracer struct {
	*Program
	inject  *Injection
	first   int              // the process that was started
	started bool             // it has become the program to watch
	threads map[int]bool     // those that are watched
	calls   map[int]*pending // the current call of each thread
	counts  map[string]int   // calls so far, by name
	outcome Outcome
}

// pending is a call that has begun, and its place among the calls.
type pending struct {
	index int
	kill  bool // after the call
}

// Run runs the program to its end.
func (p *Program) Run(inject *Injection) (*Outcome, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	t := &tracer{Program: p, inject: inject, threads: map[int]bool{}, calls: map[int]*pending{}, counts: map[string]int{}}
	if err := t.start(); err != nil {
		return nil, fmt.Errorf("starting %s under ptrace: %w", p.Args[0], err)
	}
	if p.Limit > 0 {
		var late atomic.Bool
		timer := time.AfterFunc(p.Limit, func() {
			late.Store(true)
			unix.Kill(-t.first, unix.SIGKILL)
		})
		defer func() {
			timer.Stop()
			t.outcome.Late = late.Load()
		}()
	}
	if err := t.watch(); err != nil {
		t.kill()
		return nil, fmt.Errorf("watching %s by ptrace: %w", p.Args[0], err)
	}
	return &t.outcome, nil
}

func (t *tracer) start() error {
	files := []uintptr{0, 0, 0}
	none, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer none.Close()
	for i, f := range []*os.File{none, t.Stdout, t.Stderr} {
		if f == nil {
			f = none
		}
		files[i] = f.Fd()
	}
	const self = "/proc/self/exe"
	t.first, err = syscall.ForkExec(self, append([]string{self}, t.Args...), &syscall.ProcAttr{
		Dir: t.Dir, Env: append(t.Env[:len(t.Env):len(t.Env)], asked+"=1"), Files: files, Sys: &syscall.SysProcAttr{Ptrace: true, Setpgid: true},
	})
	if err != nil {
		return err
	}
	t.threads[t.first] = true
	var status unix.WaitStatus
	if _, err := unix.Wait4(t.first, &status, unix.WALL, nil); err != nil {
		return err
	}
	if !status.Stopped() {
		return errors.New("the program ended before its start")
	}
	const options = unix.PTRACE_O_EXITKILL | unix.PTRACE_O_TRACECLONE | unix.PTRACE_O_TRACEFORK | unix.PTRACE_O_TRACEVFORK |
		unix.PTRACE_O_TRACEEXEC | unix.PTRACE_O_TRACESECCOMP | unix.PTRACE_O_TRACESYSGOOD
	if err := unix.PtraceSetOptions(t.first, options); err != nil {
		return err
	}
	return unix.PtraceCont(t.first, 0)
}

// watch follows all threads until the last one is gone.
func (t *tracer) watch() error {
	for {
		var status unix.WaitStatus
		thread, err := unix.Wait4(-t.first, &status, unix.WALL|unix.WNOTHREAD, nil) // only in its process group
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.ECHILD):
			if !t.started {
				return errors.New("the program did not start")
			}
			return nil
		case err != nil:
			return err
		}
		if status.Exited() || status.Signaled() {
			t.gone(thread, status)
			continue
		}
		fresh := !t.threads[thread]
		t.threads[thread] = true
		if err := t.stopped(thread, status, fresh); err != nil && !errors.Is(err, unix.ESRCH) { // it may be killed meanwhile
			return err
		}
	}
}

func (t *tracer) gone(thread int, status unix.WaitStatus) {
	delete(t.threads, thread)
	delete(t.calls, thread)
	if thread != t.first {
		return
	}
	t.outcome.Code = status.ExitStatus()
	if status.Signaled() {
		t.outcome.Signal = status.Signal()
	}
}

// stopped handles the stop of a thread, and lets it go on.
func (t *tracer) stopped(thread int, status unix.WaitStatus, fresh bool) error {
	const systemCall = unix.SIGTRAP | 0x80 // by PTRACE_O_TRACESYSGOOD
	signal := status.StopSignal()
	switch {
	case signal == systemCall:
		return t.done(thread)
	case signal == unix.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_SECCOMP:
		return t.begins(thread)
	case signal == unix.SIGTRAP && status.TrapCause() == unix.PTRACE_EVENT_EXEC:
		t.started = true
		return unix.PtraceCont(thread, 0)
	case signal == unix.SIGTRAP && status.TrapCause() > 0, signal == unix.SIGSTOP && fresh:
		return unix.PtraceCont(thread, 0)
	}
	return unix.PtraceCont(thread, int(signal))
}

// begins handles a thread that is about to do one of the calls in forms.
func (t *tracer) begins(thread int) error {
	number, args, _, err := callOf(thread)
	if err != nil {
		return err
	}
	f, known := forms[number]
	if !known || !t.started || f.when != nil && !f.when(args) {
		return unix.PtraceCont(thread, 0)
	}
	c, watched := t.describe(thread, f, args)
	if !watched {
		return unix.PtraceCont(thread, 0)
	}
	t.counts[c.Name]++
	c.Number = t.counts[c.Name]
	now := &pending{index: len(t.outcome.Calls)}
	t.outcome.Calls = append(t.outcome.Calls, c)
	if t.inject.at(&c) && !t.outcome.Injected {
		t.outcome.Injected = true
		switch t.inject.Kind {
		case Fail:
			t.outcome.Calls[now.index].Result = -int64(t.inject.Errno)
			if err := skip(thread, t.inject.Errno); err != nil {
				return err
			}
			return unix.PtraceCont(thread, 0)
		case KillBefore:
			t.outcome.Calls = t.outcome.Calls[:now.index]
			t.kill()
			return nil
		case KillAfter:
			now.kill = true
		case Interrupt:
			if err := unix.Kill(t.first, unix.SIGINT); err != nil {
				return err
			}
		}
	}
	t.calls[thread] = now
	return unix.PtraceSyscall(thread, 0)
}

// done handles a thread that has done one of the calls.
func (t *tracer) done(thread int) error {
	now := t.calls[thread]
	if now == nil {
		return unix.PtraceCont(thread, 0)
	}
	delete(t.calls, thread)
	_, _, result, err := callOf(thread)
	if err != nil {
		return err
	}
	t.outcome.Calls[now.index].Result = result
	if now.kill {
		t.kill()
		return nil
	}
	return unix.PtraceCont(thread, 0)
}

// kill ends all processes that are watched.
func (t *tracer) kill() {
	for thread := range t.threads {
		unix.Kill(thread, unix.SIGKILL)
	}
}

// describe returns a call with the files that it names, and whether one of them is to be watched.
func (t *tracer) describe(thread int, f form, args []uint64) (c Call, watched bool) {
	c.Name = f.name
	if !f.hasPath() {
		c.Path = ofDescriptor(thread, int32(args[f.fd]))
		if c.Name == "close" && !opensForWriting(thread, int32(args[f.fd])) {
			return c, false
		}
		return c, t.below(c.Path)
	}
	c.Path = t.pathOf(thread, f.from, args)
	if c.Name == "unlink" && f.from[0] != here && args[2]&unix.AT_REMOVEDIR != 0 {
		c.Name = "rmdir"
	}
	if f.hasTo() {
		c.To = t.pathOf(thread, f.to, args)
	}
	return c, t.below(c.Path) || t.below(c.To)
}

// ofDescriptor returns the file that a descriptor of a thread leads to, "" if there is none.
func ofDescriptor(thread int, fd int32) string {
	path, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", thread, fd))
	return strings.TrimSuffix(path, " (deleted)")
}

func opensForWriting(thread int, fd int32) bool {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/fdinfo/%d", thread, fd))
	for line := range strings.Lines(string(text)) {
		if flags, ok := strings.CutPrefix(line, "flags:"); ok {
			n, _ := strconv.ParseInt(strings.TrimSpace(flags), 8, 64)
			return n&(unix.O_WRONLY|unix.O_RDWR) != 0
		}
	}
	return false
}

// pathOf returns the path that two arguments of a call name: a folder's descriptor, and a path from there.
func (t *tracer) pathOf(thread int, at [2]int, args []uint64) string {
	path := text(thread, args[at[1]])
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	folder := ""
	if at[0] == here || int32(args[at[0]]) == unix.AT_FDCWD {
		folder, _ = os.Readlink(fmt.Sprintf("/proc/%d/cwd", thread))
	} else {
		folder = ofDescriptor(thread, int32(args[at[0]]))
	}
	return filepath.Join(folder, path)
}

// text reads a string in the memory of a thread.
func text(thread int, address uint64) string {
	memory, err := os.Open(fmt.Sprintf("/proc/%d/mem", thread))
	if err != nil {
		return ""
	}
	defer memory.Close()
	data := make([]byte, unix.PathMax)
	n, _ := memory.ReadAt(data, int64(address))
	s, _, _ := strings.Cut(string(data[:n]), "\x00")
	return s
}

// callOf returns what a stopped thread is about to call, or the result of what it called.
func callOf(thread int) (number uint64, args []uint64, result int64, err error) {
	const entered, left, filtered = 1, 2, 3 // of ptrace_syscall_info.op
	const bodyAt = 24
	var info [88]byte
	_, _, e := unix.Syscall6(unix.SYS_PTRACE, unix.PTRACE_GET_SYSCALL_INFO, uintptr(thread), uintptr(len(info)), uintptr(unsafe.Pointer(&info[0])), 0, 0)
	if e != 0 {
		return 0, nil, 0, e
	}
	word := func(i int) uint64 { return binary.NativeEndian.Uint64(info[bodyAt+8*i:]) }
	switch info[0] {
	case entered, filtered:
		for i := range 6 {
			args = append(args, word(1+i))
		}
		return word(0), args, 0, nil
	case left:
		return 0, nil, int64(word(0)), nil
	}
	return 0, nil, 0, fmt.Errorf("thread %d stopped, but not at a system call", thread)
}
