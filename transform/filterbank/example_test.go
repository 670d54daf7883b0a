package filterbank_test

import (
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze/transform/filterbank"
)

// Draw a bank of 8 filters of size 3×3 for 4 input channels. The same seed and stream give the same bits on every platform.
func ExampleGenerate() {
	spec := filterbank.Spec{Seed: 1, Stream: "conv1", Filters: 8, Shape: []int{4, 3, 3}, Groups: 1}
	bank, err := filterbank.Generate(filterbank.Default, spec)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(bank), "numbers, all within ±", spec.UniformBound())
	fmt.Println(bank[:3])
	// Output:
	// 288 numbers, all within ± 0.16666667
	// [0.041316047 -0.047577344 -0.09626558]
}
