package rcfreeze_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// dependencies returns what go list -deps prints with the given arguments, by words: the packages, if no -f is among them.
func dependencies(t *testing.T, args ...string) []string {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-deps"}, args...)...)
	list.Env = append(os.Environ(), "CGO_ENABLED=1") // listing takes no C compiler
	var faults strings.Builder
	list.Stderr = &faults
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%s: %v:\n%s", list, err, faults.String())
	}
	return strings.Fields(string(out))
}

// TestOnlyTheSecondProgramLinksTheSecondEngine keeps the engine, which is larger than all else, out of rcfreeze.
func TestOnlyTheSecondProgramLinksTheSecondEngine(t *testing.T) {
	for program, links := range map[string]bool{"./cmd/rcfreeze": false, "./bench": false, "./cmd/rcfreeze-second-opinion": true} {
		var engine []string
		for _, p := range dependencies(t, program) {
			if strings.Contains(p, "owulveryck") || strings.Contains(p, "gorgonia.org") {
				engine = append(engine, p)
			}
		}
		if (engine != nil) != links {
			t.Errorf("%s links %q of the second engine, want any: %v", program, engine, links)
		}
	}
}

// TestModelsNeedNoCgo keeps cgo out of what reads and rewrites models, so that Go programs which do only that need no C compiler.
func TestModelsNeedNoCgo(t *testing.T) {
	const withC = `{{if and (not .Standard) .CgoFiles}}{{.ImportPath}}{{end}}`
	const wrapper = "github.com/yalue/onnxruntime_go"
	for _, c := range []struct {
		packages []string
		want     []string
	}{
		{[]string{"./onnxgraph/...", "./transform/...", "./runtime/dataset/...", "./runtime/secondopinion/...", "./cmd/rcfreeze-second-opinion"}, nil},
		{[]string{"-test", "./onnxgraph/..."}, nil},
		{[]string{"./runtime/ort"}, []string{wrapper, module + "/runtime/ort"}}, // so that the list is seen to find some
	} {
		if got := dependencies(t, append([]string{"-f", withC}, c.packages...)...); !slices.Equal(got, c.want) {
			t.Errorf("%v: cgo is in %q, want %q", c.packages, got, c.want)
		}
	}
}

// TestWithoutCgo builds rcfreeze where there is no C compiler, or cgo is off: one line says what to do.
func TestWithoutCgo(t *testing.T) {
	t.Setenv("CGO_ENABLED", "0")
	t.Setenv("GOBIN", t.TempDir())
	t.Setenv("GOFLAGS", "-buildvcs=false") // git need not trust the folder of the source
	for _, args := range [][]string{
		{"build", "-o", os.DevNull, "./cmd/rcfreeze"},
		{"build", "-o", os.DevNull, "./..."},
		{"run", "./cmd/rcfreeze", "--version"},
		{"install", "./cmd/..."},
	} {
		out, err := exec.Command("go", args...).CombinedOutput()
		const sentence = "rcfreeze needs cgo: install a C compiler, such as gcc, and set CGO_ENABLED=1"
		if err == nil || !strings.Contains(string(out), sentence) || strings.Count(string(out), "\n") != 1 {
			t.Errorf("go %s: %v, says:\n%s", strings.Join(args, " "), err, out)
		}
	}
	// What reads and rewrites models is checked without C, with its tests.
	if out, err := exec.Command("go", "vet", "./onnxgraph/...", "./transform/...").CombinedOutput(); err != nil {
		t.Errorf("go vet: %v:\n%s", err, out)
	}
}
