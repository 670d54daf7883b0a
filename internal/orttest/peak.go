package orttest

import (
	"fmt"
	"os"
	"runtime/debug"
	"strings"
	"testing"
)

// Peak returns by how many bytes the resident memory of the process rises at most while do runs. Where the system does
// not tell, the test is skipped: only Linux does. What counts as resident differs between systems: only `make test-all` runs
// tests that ask.
func Peak(t testing.TB, do func()) int64 {
	t.Helper()
	debug.FreeOSMemory()
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // 5 makes the peak what is held now
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
