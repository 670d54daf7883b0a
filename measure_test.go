package rcfreeze

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// TestBatchWithin chooses batch sizes for models that take more or less memory, where more or less is free.
func TestBatchWithin(t *testing.T) {
	const mega, giga = 1e6, 1e9
	for _, c := range []struct {
		perImage, parameters, free int64
		want                       int
	}{
		{1 * mega, 10 * mega, 20 * giga, 128},
		{1 * mega, 10 * mega, 0, 128},
		{40 * mega, 10 * mega, 20 * giga, 49},
		{40 * mega, 10 * mega, 0, 49},
		{40 * mega, 0, 1 * giga, 12},
		{8 * mega, 0, 20 * giga, 128},
		{10 * mega, 0, 2 * giga, 100},
		{3 * giga, 0, 20 * giga, 1},
		{1 * mega, 5 * giga, 20 * giga, 1},
	} {
		m := evaluate.Memory{Images: DefaultBatch, Values: c.perImage * DefaultBatch, Parameters: c.parameters, Free: c.free}
		if got := batchWithin(m); got != c.want {
			t.Errorf("%d bytes per image, %d for parameters, %d free: %d images at a time, want %d", c.perImage, c.parameters, c.free, got, c.want)
		}
	}
}
