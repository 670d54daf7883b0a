package onnxgraph

import (
	"slices"
	"testing"
)

func TestListed(t *testing.T) {
	names := []string{"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"}
	for count, want := range map[int]string{
		0:  "",
		1:  "a",
		3:  "a, b, c",
		9:  "a, b, c, d, e, f, g, h, i",
		10: "a, b, c, d, e, f, g, h and 2 more",
		11: "a, b, c, d, e, f, g, h and 3 more",
	} {
		if got := Listed(slices.Clone(names[:count])); got != want {
			t.Errorf("%d names: got %q, want %q", count, got, want)
		}
	}
}
