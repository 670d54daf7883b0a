package filterstats

import (
	"slices"

	"gonum.org/v1/gonum/floats"
)

// RelativeError returns ‖W - C‖ / ‖W‖ for the filters W of a source and other filters C of the same dims, such as the combined
// filters of the block that the source became. Directly after a conversion it is transform.Conversion.Error. It is nil if the
// dims differ, or if all weights of the source are 0.
func RelativeError(c, source Filters) *float64 {
	norm := floats.Norm(source.Weights, 2)
	if !slices.Equal(c.Kernel, source.Kernel) || c.Channels != source.Channels || len(c.Weights) != len(source.Weights) || norm == 0 {
		return nil
	}
	result := floats.Distance(source.Weights, c.Weights, 2) / norm
	return &result
}
