package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// TestProgramAlone builds the program alone: without the second engine's program beside it, it says what to run, before any
// work. What it says is done, and helps.
func TestProgramAlone(t *testing.T) {
	source, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	workshop(t)
	bin := t.TempDir()
	program := filepath.Join(bin, "rcfreeze")
	if runtime.GOOS == "windows" {
		program += ".exe"
	}
	t.Setenv("GOFLAGS", "-buildvcs=false") // git need not trust the folder of the source
	build := exec.Command("go", "build", "-ldflags=-s -w", "-o", program, "./cmd/rcfreeze")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	if bytes.Contains(read(t, program), []byte("text/template.(*state)")) {
		t.Error("the program runs text templates, for which the linker keeps every exported method there is")
	}
	export := func() (says string, err error) {
		cmd := exec.Command(program, "export", "model.onnx", "-o", "out.onnx", "--second-opinion")
		var talk bytes.Buffer
		cmd.Stderr = &talk
		err = cmd.Run()
		return talk.String(), err
	}
	path := os.Getenv("PATH")
	t.Setenv("PATH", t.TempDir())
	says, err := export()
	advice := regexp.MustCompile("`go ([^`]*)`").FindStringSubmatch(says)
	if err == nil || strings.Count(says, "\n") != 1 || advice == nil {
		t.Fatalf("without the program: %v: %s", err, says)
	}
	if _, err := os.Stat("out.onnx"); err == nil {
		t.Error("without the program, a model was written")
	}
	t.Setenv("PATH", path)
	install := exec.Command("go", strings.Fields(advice[1])...)
	install.Dir, install.Env = source, append(os.Environ(), "GOBIN="+bin)
	if out, err := install.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v:\n%s", install, err, out)
	}
	t.Setenv("PATH", t.TempDir())
	if says, err := export(); err != nil {
		t.Errorf("after %s: %v: %s", advice[0], err, says)
	}
}
