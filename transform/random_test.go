package transform_test

import (
	"fmt"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestRandomPointwiseGolden pins random 1×1 weights to the bit: a seed must stand for the same start for ever. Here there are as
// many weights as filters, where banks would draw some again.
func TestRandomPointwiseGolden(t *testing.T) {
	m := convcases.Case{Input: []int64{1, 8, 5, 5}, Filters: 8, Kernel: []int64{3, 3}, DType: onnxgraph.Float32}.Model()
	if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Seed: 2}); err != nil {
		t.Fatal(err)
	}
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) != 1 {
		t.Fatalf("%d blocks, error %v", len(blocks), err)
	}
	sum, err := m.Graph.Value(blocks[0].Name + ".pointwise").Constant().SHA256()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := fmt.Sprintf("%x", sum), "628bbe55fedeb9c39a13f4a37b70432efb9182b85118c57f490876796730c451"; got != want {
		t.Errorf("the weights have the SHA-256 %s, want %s", got, want)
	}
}
