package trainstep

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// loss emits the mean over the batch of the cross entropy between softmax(logits) and the labels. With label smoothing s over K
// classes the target is 1 - s + s/K for the label and s/K for the others (Szegedy et al. 2016; PyTorch's CrossEntropyLoss does
// the same).
func (b *builder) loss(logits *onnxgraph.Value) (*onnxgraph.Value, error) {
	shape, _ := logits.StaticShape()
	n, classes := shape[0], shape[1]
	labels, err := b.Graph.AddInput(LabelsInput, onnxgraph.Int64, onnxgraph.Static(n))
	if err != nil {
		return nil, err
	}
	off := b.LabelSmoothing / float64(classes)
	levels := b.Graph.AddConstant("target_levels", onnxgraph.NewTensor([]int64{2}, []float32{float32(off), float32(1 - b.LabelSmoothing + off)}))
	target := b.Op("OneHot", []*onnxgraph.Value{labels, b.Ints(classes), levels}, onnxgraph.Int("axis", -1))
	target.SetType(onnxgraph.Float32, onnxgraph.Static(n, classes))
	logProbability := b.Op("LogSoftmax", []*onnxgraph.Value{logits}, onnxgraph.Int("axis", 1))
	logProbability.SetType(onnxgraph.Float32, onnxgraph.Static(n, classes))
	product := b.mul(target, logProbability)
	product.SetType(onnxgraph.Float32, onnxgraph.Static(n, classes))
	sum := b.Op("ReduceSum", []*onnxgraph.Value{product, b.Ints(0, 1)}, onnxgraph.Int("keepdims", 0))
	sum.SetType(onnxgraph.Float32, nil)
	loss := b.mul(sum, b.num(-1/float64(n)))
	loss.SetType(onnxgraph.Float32, onnxgraph.Static(1))
	return loss, nil
}

// correct emits the number of samples whose largest logit is that of the label.
func (b *builder) correct(logits *onnxgraph.Value) error {
	best := b.Op("ArgMax", []*onnxgraph.Value{logits}, onnxgraph.Int("axis", 1), onnxgraph.Int("keepdims", 0))
	hits := b.Op("Cast", []*onnxgraph.Value{b.binary("Equal", best, b.Graph.Value(LabelsInput))},
		onnxgraph.Int("to", int64(onnxgraph.Float32)))
	sum := b.Op("ReduceSum", []*onnxgraph.Value{hits, b.Ints(0)}, onnxgraph.Int("keepdims", 1))
	return b.output(sum, CorrectOutput, 1)
}
