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

// send sends the process a signal, and returns where Go delivers it.
func send(t *testing.T, s syscall.Signal) <-chan os.Signal {
	t.Helper()
	got := make(chan os.Signal, 1)
	signal.Notify(got, s)
	t.Cleanup(func() { signal.Stop(got) })
	if err := syscall.Kill(syscall.Getpid(), s); err != nil {
		t.Fatal(err)
	}
	return got
}

func TestSignalHandlersAreRestored(t *testing.T) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		saved := saveSignalHandlers()
		ignoreInBackOfGo(t, s)
		select {
		case <-send(t, s):
			t.Fatalf("%v arrives though it is ignored: the test shows nothing", s)
		case <-time.After(50 * time.Millisecond):
		}
		saved.restore()
		<-send(t, s)
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
	<-send(t, syscall.SIGINT)
}
