package damage

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

// The bounds on what a test of one file may take. Memory is all that is allocated meanwhile, which is more than is held at
// a time.
const (
	most     = 10               // times the file's size
	floor    = 32 << 20         // bytes, in addition
	patience = 60 * time.Second // a hang, on however slow a machine
)

// Watch looks after a test of one file of that size; the function that it returns ends it, and fails the test if the test
// has allocated memory out of proportion. A hang ends the program with all stacks.
func Watch(t testing.TB, size int) func() {
	hang := time.AfterFunc(patience, func() { panic(fmt.Sprintf("hangs on a file of %d bytes", size)) })
	before := allocated()
	return func() {
		hang.Stop()
		if got, limit := allocated()-before, uint64(most*size+floor); got > limit {
			t.Errorf("allocated %d bytes for a file of %d, more than %d", got, size, limit)
		}
	}
}

func allocated() uint64 {
	sample := []metrics.Sample{{Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}

// HeapGrowth returns by how many bytes the heap grew at most while f ran, with a collector that works hard.
func HeapGrowth(f func()) uint64 {
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	heap := func() uint64 {
		var s runtime.MemStats
		runtime.ReadMemStats(&s)
		return s.HeapAlloc
	}
	runtime.GC()
	before, most := heap(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
			most = max(most, heap())
			select {
			case <-stop:
				return
			default:
			}
		}
	}()
	f()
	close(stop)
	<-stopped
	return most - min(before, most)
}
