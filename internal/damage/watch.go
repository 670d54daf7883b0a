package damage

import (
	"flag"
	"fmt"
	"runtime"
	"runtime/metrics"
	"testing"
	"time"
)

// The limits for a test of one file. Memory is the sum of all allocations, which is more than the memory in use at any time.
const (
	most     = 10               // times the file's size
	floor    = 32 << 20         // bytes, in addition
	patience = 10 * time.Second // a hang, where inputs are looked for
)

// Watch watches a test of one file of the given size. Call the function that it returns at the end of the test: it fails the test
// if that allocated too much memory for the size of the file. During fuzzing, a hang ends the program with all stacks, so that
// its input is kept. Otherwise, `go test` itself ends a test that hangs.
func Watch(t testing.TB, size int) func() {
	ended := func() bool { return true }
	if f := flag.Lookup("test.fuzz"); f != nil && f.Value.String() != "" {
		ended = time.AfterFunc(patience, func() { panic(fmt.Sprintf("hangs on a file of %d bytes", size)) }).Stop
	}
	before := allocated()
	return func() {
		ended()
		if got, limit := allocated()-before, uint64(most*size+floor); got > limit {
			t.Errorf("allocated %d bytes for a file of %d, more than %d", got, size, limit)
		}
	}
}

func allocated() uint64 { return metric("/gc/heap/allocs:bytes") }

// HeapGrowth returns the largest growth of the heap, in bytes, while f runs. It collects garbage repeatedly, and counts the
// memory in use. The collector and f share one core, so that the result does not depend on the machine and its load.
func HeapGrowth(f func()) uint64 {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	live := func() uint64 {
		runtime.GC()
		return metric("/gc/heap/live:bytes")
	}
	before, most := live(), uint64(0)
	stop, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		for {
			most = max(most, live())
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

func metric(name string) uint64 {
	sample := []metrics.Sample{{Name: name}}
	metrics.Read(sample)
	return sample[0].Value.Uint64()
}
