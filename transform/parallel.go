package transform

import (
	"errors"
	"runtime"
	"sync"
)

// memoryBudget bounds in bytes what tasks that run at the same time need together.
const memoryBudget = 1 << 30

// forEach calls f with 0 to n-1 on all cores and returns all errors. Calls run together only as long as their costs, in
// bytes, fit the budget; a call that alone is above it runs alone.
func forEach(n int, cost func(i int) int64, f func(i int) error) error {
	var (
		free   = int64(memoryBudget)
		lock   sync.Mutex
		freed  = sync.NewCond(&lock)
		cores  = make(chan struct{}, runtime.GOMAXPROCS(0))
		group  sync.WaitGroup
		faults = make([]error, n)
	)
	for i := range n {
		need := min(cost(i), memoryBudget)
		cores <- struct{}{}
		lock.Lock()
		for free < need {
			freed.Wait()
		}
		free -= need
		lock.Unlock()
		group.Go(func() {
			faults[i] = f(i)
			lock.Lock()
			free += need
			freed.Signal()
			lock.Unlock()
			<-cores
		})
	}
	group.Wait()
	return errors.Join(faults...)
}
