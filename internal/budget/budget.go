// Package budget runs tasks on all cores that together need a bounded amount of memory.
package budget

import (
	"cmp"
	"errors"
	"runtime"
	"slices"
	"sync"
)

// memory bounds in bytes what tasks that run at the same time need together.
const memory = 1 << 30

// Each calls f with 0 to n-1 on all cores, the dearest first, and returns all errors in the order of the calls' numbers. Calls run together only
// as long as their costs, in bytes, fit 1 GiB; a call that alone is above it runs alone.
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
