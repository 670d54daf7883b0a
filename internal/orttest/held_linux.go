package orttest

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"testing"
)

// Held holds the resources of a process, which must not grow during a long run.
type Held struct {
	Resident   int64 // bytes, of Go and of ONNX Runtime
	Heap       int64 // bytes of Go's heap that are in use
	Files      int   // that are open
	Threads    int
	Goroutines int
}

// Hold returns the current resources of the process, after a garbage collection.
func Hold(t testing.TB) Held {
	t.Helper()
	debug.FreeOSMemory()
	var memory runtime.MemStats
	runtime.ReadMemStats(&memory)
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var pages, resident int64
	if _, err := fmt.Sscan(string(text), &pages, &resident); err != nil {
		t.Fatal(err)
	}
	return Held{
		Resident: resident * int64(os.Getpagesize()), Heap: int64(memory.HeapAlloc), Goroutines: runtime.NumGoroutine(),
		Files: entries(t, "/proc/self/fd") - 1, Threads: entries(t, "/proc/self/task"),
	}
}

func entries(t testing.TB, folder string) int {
	t.Helper()
	list, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// String returns it in one line.
func (h Held) String() string {
	return fmt.Sprintf("%.2f MB resident, %.3f MB on the heap, %d files, %d threads, %d goroutines",
		float64(h.Resident)/1e6, float64(h.Heap)/1e6, h.Files, h.Threads, h.Goroutines)
}

// Growth returns the growth of a number per sample, as the slope of the least-squares line.
func Growth(samples []Held, of func(Held) int64) float64 {
	n := float64(len(samples))
	var meanX, meanY, xy, xx float64
	for i, s := range samples {
		meanX += float64(i) / n
		meanY += float64(of(s)) / n
	}
	for i, s := range samples {
		x := float64(i) - meanX
		xy += x * (float64(of(s)) - meanY)
		xx += x * x
	}
	return xy / xx
}

// Flat fails the test if the resources of a process grow from sample to sample. It ignores the first tenth, while allocators fill
// their pools. The limits are bytes per sample. The numbers of files and goroutines may not grow at all; the number of threads
// may grow a little, because Go starts threads when it needs them.
func Flat(t testing.TB, samples []Held, resident, heap float64) {
	t.Helper()
	if len(samples) < 20 {
		t.Fatalf("%d samples say nothing of growth, needs 20", len(samples))
	}
	samples = samples[len(samples)/10:]
	first, last := samples[0], samples[len(samples)-1]
	t.Logf("at first: %v", first)
	t.Logf("at last:  %v", last)
	for _, c := range []struct {
		what  string
		of    func(Held) int64
		bound float64
	}{
		{"resident memory", func(h Held) int64 { return h.Resident }, resident},
		{"Go's heap", func(h Held) int64 { return h.Heap }, heap},
	} {
		growth := Growth(samples, c.of)
		t.Logf("%s grows by %.0f bytes per sample, over %d samples", c.what, growth, len(samples))
		if growth > c.bound {
			t.Errorf("%s grows by %.0f bytes per sample, want at most %.0f", c.what, growth, c.bound)
		}
	}
	const moreThreads = 4
	if last.Files > first.Files || last.Threads > first.Threads+moreThreads || last.Goroutines > first.Goroutines {
		t.Error("files, threads or goroutines became more")
	}
}

// Soak skips a long test for leaks unless `make soak` runs it.
func Soak(t testing.TB) {
	t.Helper()
	if os.Getenv("RCFREEZE_SOAK") == "" {
		t.Skip("takes some minutes: `make soak` runs it")
	}
}
