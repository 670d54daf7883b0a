package budget

import (
	"runtime"
	"sync"
)

// OnAllCores calls f with 0 to n-1 on all cores, and returns after the last call. It is for calls that take about as long as each other,
// and need no memory worth counting: for others, see Each.
func OnAllCores(n int, f func(i int)) {
	workers := min(runtime.GOMAXPROCS(0), n)
	var group sync.WaitGroup
	for first := range workers {
		group.Go(func() {
			for i := first; i < n; i += workers {
				f(i)
			}
		})
	}
	group.Wait()
}
