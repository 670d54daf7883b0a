package gradient_test

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/ort/orttest"
)

// TestEachInputAlone checks, for each operator of several inputs, that the gradient of one is the same where no other is asked
// for. TestRules asks for all.
func TestEachInputAlone(t *testing.T) {
	orttest.Init(t)
	checked := map[string]bool{}
	for _, c := range gradientCases() {
		if checked[c.op] {
			continue
		}
		feeds, _ := c.draw(onnxgraph.Float32)
		if len(feeds) < 2 {
			continue
		}
		checked[c.op] = true
		t.Run(strings.ReplaceAll(c.op+"/"+c.name, " ", "_"), func(t *testing.T) {
			t.Parallel()
			_, together := c.compute(t, ort.CPU)
			for name := range feeds {
				c.alone = name
				_, got := c.compute(t, ort.CPU)
				if want := together["d_"+name]; len(got) != 1 || relativeDistance(got["d_"+name], want) > 1e-6 {
					t.Errorf("by %s alone: got %v, want %v", name, got, want)
				}
			}
		})
	}
}
