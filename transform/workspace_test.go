package transform

import (
	"runtime"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
)

// TestWorkspace compares the memory that a conversion is said to need, which decides how many run at the same time, with what
// it allocates in all.
func TestWorkspace(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	const least = 0.4 // times what is said
	for _, c := range []struct {
		name            string
		in, out, groups int64
		o               Options
		most            float64 // likewise
	}{
		{"dense", 64, 64, 1, Options{}, 1},
		{"dense, as many filters as weights", 64, 16, 1, Options{Expansion: 36}, 1},
		{"dense, twice as many", 32, 16, 1, Options{Expansion: 36}, 1},
		{"dense, in groups", 64, 64, 4, Options{Expansion: 4}, 1},
		{"depthwise", 64, 64, 1, Options{Layout: Depthwise}, 2}, // the memory of one channel is taken again for the next
		{"depthwise, expansion 9", 64, 64, 1, Options{Layout: Depthwise, Expansion: 9}, 2},
	} {
		m := convcases.Case{Input: []int64{1, c.in, 8, 8}, Filters: c.out, Groups: c.groups, Kernel: []int64{3, 3}}.Model()
		o := c.o.WithDefaults()
		candidates, err := prepare(m, o)
		if err != nil {
			t.Fatal(err)
		}
		said := float64(candidates[0].workspace())
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if err := candidates[0].build(o, nil); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		if taken := float64(after.TotalAlloc - before.TotalAlloc); taken < least*said || taken > c.most*said {
			t.Errorf("%s: said to need %.0f bytes, and allocates %.0f", c.name, said, taken)
		}
	}
}
