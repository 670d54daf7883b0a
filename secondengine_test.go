package rcfreeze_test

import (
	"os/exec"
	"strings"
	"testing"
)

// dependencies returns the packages that go list names with the given arguments, one a line.
func dependencies(t *testing.T, args ...string) []string {
	t.Helper()
	list := exec.Command("go", append([]string{"list", "-deps"}, args...)...)
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
