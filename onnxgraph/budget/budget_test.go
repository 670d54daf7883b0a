package budget

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
)

// TestEach runs tasks of some costs and watches what those that run at the same time cost together.
func TestEach(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, c := range []struct {
		cost      int64
		most, few int64 // how many may run together, and how many must
	}{
		{0, 4, 2},
		{memory / 2, 2, 2},
		{memory/2 + 1, 1, 1},
		{3 * memory, 1, 1},
	} {
		var running, most, calls atomic.Int64
		err := Each(32, func(int) int64 { return c.cost }, func(i int) error {
			now := running.Add(1)
			for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
			}
			time.Sleep(time.Millisecond)
			running.Add(-1)
			calls.Add(1)
			if i%16 == 3 {
				return fmt.Errorf("task %d", i)
			}
			return nil
		})
		if calls.Load() != 32 || most.Load() > c.most || most.Load() < c.few {
			t.Errorf("cost %d: %d of 32 calls, at most %d together, want from %d to %d", c.cost, calls.Load(), most.Load(), c.few, c.most)
		}
		if want := "task 3\ntask 19"; err == nil || err.Error() != want {
			t.Errorf("cost %d: got error %v, want %q", c.cost, err, want)
		}
	}
	if err := Each(0, nil, nil); err != nil {
		t.Error(err)
	}
}
