// Package figures writes numbers as people read them.
package figures

import (
	"fmt"
	"strconv"
)

// Count writes an integer with commas between thousands: 61,706.
func Count[T int | int64](n T) string {
	digits := strconv.FormatInt(int64(n), 10)
	for i := len(digits) - 3; i > 0 && digits[i-1] != '-'; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

// Percent writes a share, from 0 to 1: 96.39 %.
func Percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// Bytes writes a number of bytes in the largest unit that it fills: 1.5 GB.
func Bytes(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 10e6:
		return fmt.Sprintf("%.0f MB", float64(n)/1e6)
	case n < 100e3:
		return fmt.Sprintf("%.1f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}

// RoundDown keeps the first two digits of a count, for an estimate: 12,345 becomes 12,000.
func RoundDown(n int) int {
	digits := 1
	for n/digits >= 100 {
		digits *= 10
	}
	return n / digits * digits
}
