// Package sample has code whose mutants are known: those that its tests notice, and each other kind.
package sample

// Max returns the larger number. For equal ones it is the same which is returned.
func Max(a, b int) int {
	if a > b {
		return a
	}
	return b
}

// Admits is tested far from its boundary alone.
func Admits(age int) bool { return age >= 18 }

// Unused is not tested at all.
func Unused(n int) int { return n * n }

// Halvings hangs if it does not halve.
func Halvings(n int) int {
	count := 0
	for n > 1 {
		n /= 2
		count++
	}
	return count
}

// Reserve takes 64 GiB of memory if it does not look at its limit.
func Reserve(n, limit int) int {
	if limit < n {
		n = limit
	}
	return len(make([]byte, n))
}

// Twice is tested by another package.
func Twice(n int) int { return 2 * n }
