package budget

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
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

// TestOnAllCores counts the calls of every task, and has as many tasks as cores wait for each other.
func TestOnAllCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(4))
	for _, n := range []int{0, 1, 3, 4, 11} {
		calls := make([]atomic.Int64, n)
		OnAllCores(n, func(i int) { calls[i].Add(1) })
		for i := range calls {
			if calls[i].Load() != 1 {
				t.Errorf("%d tasks: %d calls of task %d", n, calls[i].Load(), i)
			}
		}
	}
	synctest.Test(t, func(t *testing.T) {
		var together sync.WaitGroup
		together.Add(4)
		OnAllCores(4, func(int) {
			together.Done()
			together.Wait()
		})
	})
}

// TestDearestFirst runs tasks on one core: those that cost most begin first, as a long one that begins last would keep the
// other cores waiting; those that cost the same are in order.
func TestDearestFirst(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	costs := []int64{2, 1, 5 * memory, 2, 0, 7}
	var order []int
	if err := Each(len(costs), func(i int) int64 { return costs[i] }, func(i int) error {
		order = append(order, i)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if want := []int{2, 5, 0, 3, 1, 4}; !slices.Equal(order, want) {
		t.Errorf("tasks of costs %v ran in order %v, want %v", costs, order, want)
	}
}
