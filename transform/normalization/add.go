package normalization

import (
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Added reports what Add did with one frozen block.
type Added struct {
	transform.Outcome
	Mean string `json:"running_mean,omitempty"` // the name of the added normalization's running mean, "" if it was skipped
}

// Add adds a batch normalization after every frozen block of the main graph that has none behind it. Use it for models whose
// batch normalizations were folded into their convolutions. A new one changes nothing at first: mean 0, variance 1, shift 0, and
// the scale √(1 + epsilon). It trains with the model. Later, transform.Merge and then Fold put it into the merged convolution.
// Blocks that share their 1×1 weight share the constants of their normalizations.
//
// Add returns one row per block of the model. It fails if the model differs from its records of blocks, or if its operators are
// older than version 7.
func Add(m *onnxgraph.Model) ([]Added, error) {
	blocks, err := transform.Blocks(m)
	if err == nil {
		err = weights.CheckOpset(m)
	}
	if err != nil {
		return nil, fmt.Errorf("adding batch normalizations: %w", err)
	}
	var rows []Added
	parameters := map[*onnxgraph.Value][]*onnxgraph.Value{} // by the 1×1 weight
	for _, b := range blocks {
		row := Added{Outcome: transform.OutcomeOf(b.PointwiseConv)}
		row.Status = transform.Added
		if norm := readingNorm(b.PointwiseConv.Output(0)); norm != nil {
			row.Skip(fmt.Sprintf("%s normalizes its output already", norm))
		} else if b.PointwiseConv.Graph() != m.Graph {
			row.Skip("it is in the body of another node or a function, and only the main graph trains")
		} else {
			row.Mean = addNorm(b, parameters).Input(3).Name()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// readingNorm returns a batch normalization that reads v, directly or through nodes that add or multiply constants,
// nil if there is none.
func readingNorm(v *onnxgraph.Value) *onnxgraph.Node {
	for _, u := range v.Uses() {
		n := u.Node
		switch {
		case n.Domain() != "" || n.Output(0) == nil:
		case n.Is("BatchNormalization") && u.Index == 0:
			return n
		case isPassing(n):
			if norm := readingNorm(n.Output(0)); norm != nil {
				return norm
			}
		}
	}
	return nil
}

// isPassing reports whether a node outputs what it reads, unchanged or after adding or multiplying constants.
func isPassing(n *onnxgraph.Node) bool {
	switch n.OpType() {
	case "Identity", "Dropout", "Cast":
		return true
	case "Add", "Sub", "Mul", "Div":
		return slices.ContainsFunc(n.Inputs(), func(v *onnxgraph.Value) bool {
			_, _, reason := weights.Resolve(v)
			return reason == ""
		})
	}
	return false
}

// addNorm puts a normalization between the block and what reads it.
func addNorm(b transform.Block, parameters map[*onnxgraph.Value][]*onnxgraph.Value) *onnxgraph.Node {
	conv, weight := b.PointwiseConv, b.Pointwise.Constant()
	if parameters[b.Pointwise] == nil {
		parameters[b.Pointwise] = weights.NormParameters(b.Pointwise.Graph(), b.Name+".batchnorm", weight.DType(), int(weight.Dims()[0]))
	}
	nodes := conv.Graph().Nodes()
	norm := weights.AddNorm(conv.Graph(), conv.Output(0), parameters[b.Pointwise])
	part := b.Name + "/batchnorm"
	norm.Rename(part)
	conv.SwapOutput(0, norm, 0)
	norm.SetInput(0, conv.Output(0))
	if i := slices.Index(nodes, conv) + 1; i < len(nodes) {
		conv.Graph().Insert(nodes[i], norm)
	}
	if shape, ok := norm.Output(0).Shape(); ok {
		conv.Output(0).SetType(norm.Output(0).DType(), shape)
	}
	conv.Graph().Rename(conv.Output(0), part+"_input") // if that name is taken, the one that the graph chose stays
	return norm
}
