package rcfreeze_test

import (
	"context"
	"fmt"
	"log"

	"github.com/rcfreeze/rcfreeze"
	_ "github.com/rcfreeze/rcfreeze/internal/orttest" // names the library of `make setup`
)

// Convert a model, and merge the blocks of the result again.
func Example() {
	ctx := context.Background()
	m, err := rcfreeze.Open("testdata/demo/mnist-cnn.onnx")
	if err != nil {
		log.Fatal(err)
	}
	blocks, err := rcfreeze.Convert(ctx, m, rcfreeze.ConvertOptions{})
	if err != nil {
		log.Fatal(err)
	}
	merged, err := rcfreeze.Export(ctx, blocks.Model, rcfreeze.ExportOptions{Output: rcfreeze.Output{Path: temporary("merged.onnx")}})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(blocks.Converted, "convolutions became blocks,", rcfreeze.CountMerged(merged.Merged), "blocks were merged")
	// Output: 2 convolutions became blocks, 2 blocks were merged
}
