package transform

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Status is what a function did with a node.
type Status string

// The values of Status.
const (
	Converted Status = "converted" // into a frozen block by Convert; Plan says it of what Convert would convert
	Merged    Status = "merged"    // a frozen block, into one convolution by Merge
	Folded    Status = "folded"    // a batch normalization, into the layer before it by normalization.Fold
	Added     Status = "added"     // a batch normalization, after a frozen block by normalization.Add
	Switched  Status = "switched"  // from the form for training to that for inference by inference.Switch
	Skipped   Status = "skipped"   // left as it is: Outcome.Reason says why
)

// Outcome is what a function did with a node.
type Outcome struct {
	Node   string `json:"node"`  // its name or, if it has none, that of its output; of Convert and Plan, the name of its block
	Graph  string `json:"graph"` // the graph it is in
	Status Status `json:"status"`
	Reason string `json:"reason,omitempty"` // why it was skipped, or what else the user should know
}

// Skip records that the node was skipped, and why.
func (o *Outcome) Skip(reason string) { o.Status, o.Reason = Skipped, reason }

// Cost is the number of parameters and operations of a convolution or a block. If several share a weight, a bias or a bank, its
// parameters are counted only at the first of them, so that the costs of a model can be added up.
type Cost struct {
	Trainable int64 `json:"trainable"` // parameters that train, with the bias and those of a BatchNormalization between
	Bank      int64 `json:"bank"`      // parameters of the fixed bank, 0 for a plain convolution

	// MACs are the multiply-accumulates for one image, also of a block that shares its weights with others. It is 0 if the size
	// of the output is not known (see Options.Shapes).
	MACs int64 `json:"macs,omitempty"`
}

// Conversion reports what Convert did with one convolution.
type Conversion struct {
	Outcome
	Operator  string `json:"operator"`               // the name of the node's operator, "Conv" if converted
	Kernel    []int  `json:"kernel,omitempty"`       // size of the source's kernel along each axis
	NewKernel []int  `json:"new_kernel,omitempty"`   // size of the block's kernel, nil if it stays
	Strides   []int  `json:"strides,omitempty"`      // along each axis
	Groups    int    `json:"groups"`                 // 0 if it is no Conv
	In        int    `json:"in_channels,omitempty"`  // of all groups; 0 if the filters are not known
	Out       int    `json:"out_channels,omitempty"` // likewise
	Expansion int    `json:"expansion,omitempty"`    // of the block, also if MaxError chose it; 0 if skipped

	// SharedWith is set for convolutions that share a weight, and so a block, with an earlier one: it names the first of them.
	SharedWith string `json:"shared_with,omitempty"`
	// Untied lists, in words, the other nodes that read the weight in the source and no longer share it.
	Untied []string `json:"untied,omitempty"`

	Before Cost `json:"before"` // of the convolution in the source
	After  Cost `json:"after"`  // equal to Before if skipped

	// Error is ‖W - P·R‖ / ‖W‖ for the source's filters W and the block's combined filters P·R, which a projection makes as small
	// as the bank allows: 0 is no loss. What is between the two convolutions does not count: with BatchNorm nothing is lost by
	// that at first, but with a ReLU (possible only with Identity, where Error is 0) the block computes something else. Error is
	// nil if it was not computed: for skipped convolutions, for Random, and in a plan without MaxError.
	Error *float64 `json:"relative_error,omitempty"`

	// Condition estimates the condition number of the bank in its worst group or channel: the factor by which rounding errors in
	// the block may be larger than in one convolution. It is nil if nothing was projected.
	Condition *float64 `json:"condition,omitempty"`

	// OutputError is the loss of calibration: √(E‖y - ŷ‖² / E‖y‖²) for the output ŷ of the block in the new network and the
	// output y of the source in the old one, where E is the mean over the data. The means are subtracted first if calibration
	// can correct them, by the bias or by the running mean of a BatchNormalization behind. It is nil without calibration.
	OutputError *float64 `json:"output_error,omitempty"`

	// AboveBound says that no expansion keeps the error within Options.MaxError. Expansion is then the one whose bank spans all
	// filters.
	AboveBound bool `json:"above_bound,omitempty"`

	// Note says what else the user should know about the conversion, "" if there is nothing.
	Note string `json:"note,omitempty"`
}

// lost returns the error that counts: that of the output, if there is one.
func (r *Conversion) lost() float64 {
	if r.OutputError != nil {
		return *r.OutputError
	}
	return *r.Error
}

// describe fills in what is known of a convolution.
func (r *Conversion) describe(c weights.Convolution) {
	r.Kernel, r.Strides, r.Groups, r.In, r.Out = c.Kernel, weights.Ints(c.Strides), c.Groups, c.In, c.Out
}

// positions returns the number of positions at which the filters of a convolution are applied in one example, 0 if unknown.
func (o Options) positions(n *onnxgraph.Node) int64 {
	v := n.Output(0)
	if v == nil {
		return 0
	}
	if _, known := v.StaticShape(); !known && o.Shapes != nil && n.Graph() == n.Graph().Model().Graph {
		if told := o.Shapes.Graph.Value(v.Name()); told != nil {
			v = told
		}
	}
	dims, _ := v.Shape()
	if len(dims) < 3 {
		return 0
	}
	count := int64(1)
	for _, d := range dims[2:] {
		count *= max(d.Size, 0)
	}
	return count
}

// OutcomeOf returns the outcome for a node with its name and its graph, and still without a status.
func OutcomeOf(n *onnxgraph.Node) Outcome {
	return Outcome{Node: n.Label(), Graph: n.Graph().Name()}
}
