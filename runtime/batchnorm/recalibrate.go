// Package batchnorm estimates the running statistics of BatchNormalization nodes on images.
package batchnorm

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Options says which images to take, and how.
type Options struct {
	BatchSize int      // at most; a data set with fewer images is one batch
	Images    int      // about how many images to take, in whole batches; 0 takes all
	Means     []string // names of the running means of the nodes to estimate; nil for all
	Normalize dataset.Normalization
	Workers   int    // goroutines that read images, 0 for one per core; never changes the result
	Seed      uint64 // of the order of the images
	Session   ort.Options
	// Unfolded, if not nil, is called if frozen blocks cannot be merged into one convolution, since the model differs from its
	// records; the run then takes longer.
	Unfolded func(fault error)
	// Progress, if not nil, is called after every batch.
	Progress func(done, total int)
}

// Change says how the running statistics of one node changed.
type Change struct {
	Node     string `json:"node"`
	Channels int    `json:"channels"`
	// MeanShift is the root mean square, over channels, of new mean - old mean in units of the old deviation.
	MeanShift float64 `json:"mean_shift"`
	// VarianceRatio is the geometric mean, over channels, of new variance / old variance.
	VarianceRatio float64 `json:"variance_ratio"`
}

// Report says what was done.
type Report struct {
	Images  int      `json:"images"` // that were run
	Changes []Change `json:"changes"`
	// Unmeasured lists the nodes that keep their old statistics, since no output of the model depends on them.
	Unmeasured []string `json:"unmeasured,omitempty"`
}

// ErrNone says that a model has no batch normalization whose statistics could be estimated.
var ErrNone = errors.New("the model has no BatchNormalization, or none that its outputs depend on")

// Recalibrate gives every BatchNormalization of m the running statistics that its images have: the averages over
// batches of mean and unbiased variance. As in PyTorch's update_bn, every layer meanwhile normalizes by the
// statistics of the batch, so that what a layer reads does not depend on what the earlier ones had recorded; unlike
// there, Dropout does nothing. Labels do not matter. Batches are drawn in a random order, without augmentation, and
// images that do not fill a batch are left out.
//
// The model may be of any kind, and of any floating-point type: it is run in float32. Statistics that an exporter has merged are separated first
// (transform.Separate); those of a layer that is used at several places are the averages over these. Init of package ort must have been called.
func Recalibrate(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o Options) (*Report, error) {
	transform.Separate(m)
	report, err := recalibrate(ctx, m, set, o)
	if err != nil {
		return nil, fmt.Errorf("re-estimating the running statistics of %s: %w", m.Path(), err)
	}
	return report, nil
}

func recalibrate(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o Options) (*Report, error) {
	var inner []error
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if n.Is("BatchNormalization") && g != m.Graph {
				inner = append(inner, fmt.Errorf("node %s is in %q, the body of another node or a function: only the main graph is measured", n, g.Name()))
			}
		}
	}
	if err := errors.Join(inner...); err != nil {
		return nil, err
	}
	measured, err := measure(ctx, m, set, o, trainstep.MeasurementOptions{Means: o.Means})
	if err != nil {
		return nil, err
	}
	report, err := renewAll(m, measured, func(*onnxgraph.Node) error { return nil })
	for _, n := range m.Graph.Nodes() {
		if err == nil && o.Means == nil && n.Is("BatchNormalization") && measured.values[n.Input(3).Name()] == nil {
			report.Unmeasured = append(report.Unmeasured, n.Label())
		}
	}
	return report, err
}

// renewAll stores what was measured in all nodes that it is of, and calls then for each.
func renewAll(m *onnxgraph.Model, measured *measurement, then func(*onnxgraph.Node) error) (*Report, error) {
	report := &Report{Images: measured.images}
	done := map[*onnxgraph.Value]bool{} // a layer that is used at several places has its statistics once
	for _, n := range m.Graph.Nodes() {
		if !n.Is("BatchNormalization") || measured.values[n.Input(3).Name()] == nil || done[n.Input(3)] {
			continue
		}
		done[n.Input(3)] = true
		change, err := renew(n, measured)
		if err == nil {
			err = then(n)
		}
		if err != nil {
			return nil, fmt.Errorf("node %s: %w", n, err)
		}
		report.Changes = append(report.Changes, change)
	}
	return report, nil
}

// renew stores what was measured as the running statistics of a node.
func renew(n *onnxgraph.Node, measured *measurement) (Change, error) {
	var old [2][]float64
	var fresh [2][]float64
	for i := range old {
		v := n.Input(3 + i)
		var err error
		if old[i], err = v.Constant().Float64s(); err != nil {
			return Change{}, err
		}
		fresh[i] = measured.values[v.Name()]
		if err := set(v, fresh[i]); err != nil {
			return Change{}, err
		}
	}
	c := Change{Node: n.Label(), Channels: len(old[0])}
	epsilon := float64(n.Float("epsilon", 1e-5))
	shift, ratio := 0.0, 0.0
	for k := range old[0] {
		moved := fresh[0][k] - old[0][k]
		shift += moved * moved / (old[1][k] + epsilon)
		ratio += math.Log((fresh[1][k] + epsilon) / (old[1][k] + epsilon))
	}
	c.MeanShift = math.Sqrt(shift / float64(c.Channels))
	c.VarianceRatio = math.Exp(ratio / float64(c.Channels))
	return c, nil
}

// set makes data the elements of a constant.
func set(v *onnxgraph.Value, data []float64) error {
	old := v.Constant()
	t, err := onnxgraph.FromFloat64s(old.DType(), old.Dims(), data)
	if err != nil {
		return err
	}
	rounded, err := t.Float64s()
	if err != nil {
		return err
	}
	for i, x := range rounded {
		if math.IsInf(x, 0) {
			return fmt.Errorf("%q would be %g, which %v cannot hold and a float32 model can: %s", v.Name(), data[i], old.DType(), transform.MakeFloat32)
		}
	}
	if v.Producer() != nil { // a Constant node
		v.Graph().MakeConstant(v, t)
	} else {
		v.SetConstant(t)
	}
	return nil
}
