package orttest

import (
	"os"
	"runtime"
	"testing"
)

func TestGrowth(t *testing.T) {
	var samples []Held
	for i := range 100 {
		samples = append(samples, Held{Resident: int64(1000 + 7*i + i%2), Heap: 5}) // a line, and what comes and goes
	}
	if g := Growth(samples, func(h Held) int64 { return h.Resident }); g < 6.99 || g > 7.01 {
		t.Errorf("grows by %g, want 7", g)
	}
	if g := Growth(samples, func(h Held) int64 { return h.Heap }); g != 0 {
		t.Errorf("grows by %g, want 0", g)
	}
}

func TestHoldCounts(t *testing.T) {
	before := Hold(t)
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	waits := make(chan bool)
	go func() { <-waits }()
	defer close(waits)
	big := make([]byte, 10<<20)
	after := Hold(t)
	if after.Files != before.Files+1 || after.Goroutines != before.Goroutines+1 || after.Heap < before.Heap+int64(len(big))-1<<20 {
		t.Errorf("before %v, after %v", before, after)
	}
	runtime.KeepAlive(big)
}
