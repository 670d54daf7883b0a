package orttest

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// Peak returns the largest growth of the process's resident memory, in bytes, while do runs. Only Linux reports it; on other
// systems the test is skipped. The definition of resident memory differs between systems, so only `make test-all` runs tests that
// use Peak.
func Peak(t testing.TB, do func()) int64 {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // 5 resets the peak to the current value
		t.Skipf("cannot measure memory: %v", err)
	}
	before := peak(t)
	do()
	return peak(t) - before
}

func peak(t testing.TB) int64 {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kibibytes int64
	if _, err := fmt.Sscan(rest, &kibibytes); err != nil {
		t.Fatal(err)
	}
	return kibibytes << 10
}
