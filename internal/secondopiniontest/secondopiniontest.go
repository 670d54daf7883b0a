// Package secondopiniontest gives tests the second engine's program.
package secondopiniontest

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// Build builds the program into a folder and puts that folder on PATH, so that [secondopinion.Find] finds it. Call it in
// TestMain.
func Build(folder string) error {
	build := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s -w", "-o", folder+string(os.PathSeparator), "github.com/rcfreeze/rcfreeze/cmd/rcfreeze-second-opinion")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("building the second engine's program: %w:\n%s", err, out)
	}
	return os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH"))
}

// Use builds the program for one test.
func Use(t *testing.T) {
	t.Helper()
	t.Setenv("PATH", os.Getenv("PATH")) // restored when the test ends
	if err := Build(t.TempDir()); err != nil {
		t.Fatal(err)
	}
}
