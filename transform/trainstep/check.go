package trainstep

import (
	"errors"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/gradient"
)

// check returns an error that lists all reasons why the model cannot train.
func (b *builder) check(logits *onnxgraph.Value, norms []*onnxgraph.Node) error {
	values, err := b.trainedValues()
	faults := []error{err}
	for _, n := range b.Graph.Sorted() {
		if n.Is("Dropout") {
			_, err := dropoutRatio(n)
			faults = append(faults, err)
		}
	}
	return errors.Join(append(faults, b.checkStatistics(norms), gradient.Check(logits, values...))...)
}
