package budget

import (
	"fmt"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestEach runs tasks of some costs and watches what those that run at the same time cost together. In its bubble a task
// sleeps until all that may run do.
func TestEach(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, c := range []struct{ cost, together int64 }{{0, 4}, {memory / 2, 2}, {memory/2 + 1, 1}, {3 * memory, 1}} {
		synctest.Test(t, func(t *testing.T) {
			var running, most, calls atomic.Int64
			err := Each(32, func(int) int64 { return c.cost }, func(i int) error {
				now := running.Add(1)
				for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
				}
				time.Sleep(time.Second)
				running.Add(-1)
				calls.Add(1)
				if i%16 == 3 {
					return fmt.Errorf("task %d", i)
				}
				return nil
			})
			if calls.Load() != 32 || most.Load() != c.together {
				t.Errorf("cost %d: %d of 32 calls, at most %d together, want %d", c.cost, calls.Load(), most.Load(), c.together)
			}
			if want := "task 3\ntask 19"; err == nil || err.Error() != want {
				t.Errorf("cost %d: got error %v, want %q", c.cost, err, want)
			}
		})
	}
	if err := Each(0, nil, nil); err != nil {
		t.Error(err)
	}
}
