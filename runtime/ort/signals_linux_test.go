package ort

import (
	"os"
	"os/signal"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// ignoreInBackOfGo makes the kernel ignore a signal, as a library might, so that Go does not know.
func ignoreInBackOfGo(t *testing.T, s syscall.Signal) {
	t.Helper()
	action := [8]uintptr{1} // SIG_IGN, no flags, no mask
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(&action)), 0, 8, 0, 0); errno != 0 {
		t.Fatal(errno)
	}
}

// arrives reports whether Go gets a signal that the process sends itself.
func arrives(t *testing.T, s syscall.Signal, within time.Duration) bool {
	t.Helper()
	got := make(chan os.Signal, 1)
	signal.Notify(got, s)
	defer signal.Stop(got)
	if err := syscall.Kill(syscall.Getpid(), s); err != nil {
		t.Fatal(err)
	}
	select {
	case <-got:
		return true
	case <-time.After(within):
		return false
	}
}

func TestSignalHandlersAreRestored(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		saved := saveSignalHandlers()
		ignoreInBackOfGo(t, s)
		if arrives(t, s, 50*time.Millisecond) {
			t.Fatalf("%v arrives though it is ignored: the test shows nothing", s)
		}
		saved.restore()
		if !arrives(t, s, 10*time.Second) {
			t.Errorf("%v does not arrive after its handler was restored", s)
		}
	}
}

func TestInterruptArrivesAfterOpen(t *testing.T) {
	if _, err := Init(""); err != nil {
		t.Fatal(err)
	}
	s, err := Open("testdata/external.onnx", Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if !arrives(t, syscall.SIGINT, 10*time.Second) {
		t.Error("SIGINT does not arrive after a session was opened")
	}
}
