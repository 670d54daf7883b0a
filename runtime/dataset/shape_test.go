package dataset

import (
	"slices"
	"testing"
)

// TestShapeAsDims gives the dims of tensors with channels first.
func TestShapeAsDims(t *testing.T) {
	s := Shape{Channels: 3, Height: 32, Width: 48}
	if got := s.Dims(); !slices.Equal(got, []int64{3, 32, 48}) {
		t.Errorf("an image has dims %v", got)
	}
	if got := s.Batch(8); !slices.Equal(got, []int64{8, 3, 32, 48}) {
		t.Errorf("a batch of 8 has dims %v", got)
	}
}
