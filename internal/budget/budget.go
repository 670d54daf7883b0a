// Package budget runs tasks on all cores, and limits the memory that tasks use at the same time.
package budget

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// memory is the limit for tasks that run at the same time, in bytes.
const memory = 1 << 30

// Each calls f(0) … f(n-1) on all cores, the most expensive first, and returns all errors in the order of the numbers. Calls run
// at the same time only if the sum of their costs, in bytes, is at most 1 GiB. A call that costs more runs alone.
func Each(n int, cost func(i int) int64, f func(i int) error) error {
	var (
		shared = NewMemory(memory)
		cores  = make(chan struct{}, runtime.GOMAXPROCS(0))
		group  sync.WaitGroup
		faults = make([]error, n)
	)
	costs, order := make([]int64, n), make([]int, n)
	for i := range n {
		costs[i], order[i] = cost(i), i
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(costs[b], costs[a]) })
	for _, i := range order {
		cores <- struct{}{}
		giveBack := shared.Take(costs[i])
		group.Go(func() {
			faults[i] = f(i)
			giveBack()
			<-cores
		})
	}
	group.Wait()
	return errors.Join(faults...)
}
