package main

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
)

// TestManyThreads asks every command for more threads and readers than there are cores.
func TestManyThreads(t *testing.T) {
	workshop(t)
	writeFolders(t, "folders", "a", "b", "c")
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	for _, c := range []struct {
		args    string
		workers bool
	}{
		{"eval model.onnx --data bands", true},
		{"predict model.onnx folders --normalize none", true},
		{"train model.onnx -o a.onnx --data bands --epochs 1 -b 8", true},
		{"compare model.onnx -o runs --data bands --epochs 1 -b 8 --variants baseline", true},
		{"recalibrate net.onnx -o b.onnx --data bands -b 8", true},
		{"convert model.onnx -o c.onnx --pointwise calibrate --data bands -E 1", true},
		{"export model.onnx -o d.onnx", false},
	} {
		args := append(strings.Fields(c.args), "--threads", "1000")
		if c.workers {
			args = append(args, "--workers", "1000")
		}
		_, stderr, code := call(args...)
		cores := runtime.GOMAXPROCS(0)
		for _, flag := range []string{"--threads", "--workers"} {
			line := fmt.Sprintf("%s is %d instead of 1000", flag, cores)
			if said := strings.Contains(stderr, line); code != exitDone || said != (flag == "--threads" || c.workers) {
				t.Errorf("%s: exit code %d, said of %s: %v:\n%s", c.args, code, flag, said, stderr)
			}
		}
	}
}
