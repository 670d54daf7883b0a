package weights

import (
	"testing"
)

// TestElements counts the elements of tensors up to 2^23.
func TestElements(t *testing.T) {
	for _, c := range []struct {
		dims  []int64
		count int
		fits  bool
	}{
		{nil, 1, true}, {[]int64{0, 5}, 0, true}, {[]int64{2, 3, 4}, 24, true}, {[]int64{-1}, 0, false},
		{[]int64{1 << 23}, 1 << 23, true}, {[]int64{1<<23 + 1}, 0, false}, {[]int64{1 << 22, 2}, 1 << 23, true}, {[]int64{1 << 22, 3}, 0, false},
		{[]int64{1 << 62, 1 << 62}, 0, false}, {[]int64{1 << 23, 1 << 23}, 0, false},
	} {
		if count, fits := elements(c.dims); count != c.count || fits != c.fits {
			t.Errorf("%v: %d, %v, want %d, %v", c.dims, count, fits, c.count, c.fits)
		}
	}
}
