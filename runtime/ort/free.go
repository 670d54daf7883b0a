package ort

import (
	"fmt"
	"os"
	"strings"
)

// FreeMemory returns how many bytes of memory are free, within the limit of the container that the program runs in. It returns 0
// if that is unknown, as on all systems except Linux.
func FreeMemory() int64 {
	available := readNumber("/proc/meminfo", "MemAvailable:") << 10
	if limit := readNumber("/sys/fs/cgroup/memory.max", ""); limit > 0 {
		return min(available, limit)
	}
	return available
}

// readNumber returns the number after a label in a file, 0 if there is none.
func readNumber(path, label string) int64 {
	text, _ := os.ReadFile(path)
	_, rest, _ := strings.Cut(string(text), label)
	var n int64
	fmt.Sscan(rest, &n)
	return n
}
