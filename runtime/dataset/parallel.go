package dataset

import (
	"context"
	"sync"
	"sync/atomic"
)

// parallel calls do(0) to do(n-1) from several goroutines and waits for them; each goroutine has its own do, with its own memory,
// made by newDo. After an error, or when ctx is done, no further call starts. The error is that of the lowest index that failed,
// for any number of workers.
func parallel(ctx context.Context, workers, n int, newDo func() func(i int) error) error {
	var (
		next   atomic.Int64 // indices are taken in rising order, so all below a failed one were done
		failed atomic.Bool
		mu     sync.Mutex
		lowest = n
		first  error
		wg     sync.WaitGroup
	)
	for range min(workers, n) {
		wg.Go(func() {
			do := newDo()
			for !failed.Load() && ctx.Err() == nil {
				i := int(next.Add(1) - 1)
				if i >= n {
					return
				}
				if err := do(i); err != nil {
					failed.Store(true)
					mu.Lock()
					if i < lowest {
						lowest, first = i, err
					}
					mu.Unlock()
				}
			}
		})
	}
	wg.Wait()
	if first == nil {
		return ctx.Err()
	}
	return first
}
