package rcfreeze

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
)

// TestUsualTolerance follows the coarsest type among the parameters.
func TestUsualTolerance(t *testing.T) {
	for _, c := range convcases.Cases {
		want := 1e-4
		switch c.Name {
		case "float16":
			want = 1e-2
		case "bfloat16":
			want = 1e-1
		}
		if got, err := UsualTolerance(c.Model()); err != nil || got != want {
			t.Errorf("%s: %g, %v, want %g", c.Name, got, err, want)
		}
	}
}
