//go:build unix

package main

import (
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// TestCrash lets a fault happen in C code, as ONNX Runtime has them, and lets it abort: the program ends by the same signal, with a
// line that names the model, and without Go's own account of registers and goroutines.
func TestCrash(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		says   string
	}{
		{syscall.SIGSEGV, "rcfreeze: ONNX Runtime crashed (segmentation fault) on model.onnx, evil\\n. Each file"},
		{syscall.SIGABRT, "rcfreeze: ONNX Runtime crashed (abort) on model.onnx, evil\\n. Each file"},
	} {
		cmd := exec.Command(os.Args[0], c.signal.String())
		cmd.Env = append(os.Environ(), asProgram+"="+thatCrashes)
		talk, err := cmd.CombinedOutput()
		status := cmd.ProcessState.Sys().(syscall.WaitStatus)
		if err == nil || status.Signal() != c.signal || !strings.HasPrefix(string(talk), c.says) || strings.Count(string(talk), "\n") != 1 {
			t.Errorf("%v: ended with %v, and said %s", c.signal, err, talk)
		}
	}
}

// thatCrashes is the value of asProgram for a process that only crashes.
const thatCrashes = "crash"

func init() {
	if os.Getenv(asProgram) == thatCrashes {
		crash()
	}
}

func crash() {
	tellCrashes()
	p := &printer{}
	p.load("model.onnx")
	p.load("evil\n")
	if os.Args[1] == syscall.SIGABRT.String() {
		syscall.Kill(syscall.Getpid(), syscall.SIGABRT)
		select {}
	}
	closed, err := syscall.Mmap(-1, 0, os.Getpagesize(), syscall.PROT_NONE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	rememberText(&closed[0], len(closed))
}
