package dataset

import (
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// TestParallelError lets two neighboring calls fail, in either order: the error is that of the lower
// index, and the calls after them do not start.
func TestParallelError(t *testing.T) {
	for _, slow := range []int{20, 21} {
		synctest.Test(t, func(t *testing.T) {
			var calls atomic.Int64
			err := parallel(t.Context(), 2, 1000, func() func(int) error {
				return func(i int) error {
					calls.Add(1)
					time.Sleep(time.Second) // the workers stay in step
					if i < 20 {
						return nil
					}
					if i == slow {
						time.Sleep(time.Second)
					}
					return fmt.Errorf("call %d", i)
				}
			})
			if err == nil || err.Error() != "call 20" || calls.Load() > 22 {
				t.Errorf("slow call %d: error %v after %d calls, want that of call 20 after at most 22", slow, err, calls.Load())
			}
		})
	}
}
