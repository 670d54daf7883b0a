package filterstats

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// RelativeError returns ‖W - C‖ / ‖W‖ for the filters W of a source and C, such as the combined filters of the block that was made of
// them: right after a projection, it is what that lost. It is nil if the filters have different sizes, or those of the source are all 0.
func RelativeError(c, source Filters) *float64 {
	norm := floats.Norm(source.Weights, 2)
	if !slices.Equal(c.Kernel, source.Kernel) || c.Channels != source.Channels || len(c.Weights) != len(source.Weights) || norm == 0 {
		return nil
	}
	result := floats.Distance(source.Weights, c.Weights, 2) / norm
	return &result
}
