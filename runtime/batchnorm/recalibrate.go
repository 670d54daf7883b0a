// Package batchnorm estimates the running statistics of BatchNormalization nodes on images. Call ort.Init first.
package batchnorm

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// Options says which images to use, and how to run them.
type Options struct {
	BatchSize int // images in a batch; a data set with fewer images is one batch, and 0 is taken as 1
	// Images is about how many images to use: the largest number of full batches that has no more images. 0 means all (the command
	// and rcfreeze.RecalibrateOptions have another default).
	Images    int
	Means     []string              // names of the running means of the nodes to estimate; nil means all
	Normalize dataset.Normalization // as the model was trained with
	Workers   int                   // goroutines that read images; 0 means one per usable core; never changes the result
	Seed      uint64                // seed for the order of the images
	Session   ort.Options           // how the model runs
	// Unmerged, if not nil, is called if frozen blocks cannot run as one convolution because the model differs from its records.
	// The run then takes longer.
	Unmerged func(fault error)
	// Progress, if not nil, is called after every batch with the number of images that were run, and of those to run in all.
	Progress func(done, total int)
}

// Change says how the running statistics of one node changed.
type Change struct {
	Node     string `json:"node"` // its name, or a name of its output
	Channels int    `json:"channels"`
	// MeanShift is the root mean square, over channels, of new mean - old mean in units of the old deviation.
	MeanShift float64 `json:"mean_shift"`
	// VarianceRatio is the geometric mean, over channels, of new variance / old variance.
	VarianceRatio float64 `json:"variance_ratio"`
}

// Report says what Recalibrate or Adopt did.
type Report struct {
	Images  int      `json:"images"`  // images that were run
	Changes []Change `json:"changes"` // one per node whose statistics were set, in the order of the model
	// Unmeasured lists the nodes that keep their old statistics because no output of the model depends on them.
	Unmeasured []string `json:"unmeasured,omitempty"`
}

// errNone says that a model has no BatchNormalization whose statistics can be estimated.
var errNone = errors.New("the model has no BatchNormalization, or none that its outputs depend on, so there is nothing to recalibrate; rcfreeze convert --add-batchnorm adds some, behind frozen blocks")

// Recalibrate sets the running statistics of every BatchNormalization of m to those of the images: the averages of mean and
// unbiased variance over batches. As in PyTorch's update_bn, layers normalize by the statistics of the batch meanwhile, so that
// the old statistics of earlier layers do not matter. Unlike update_bn, it turns Dropout off. Labels do not matter. Batches are
// drawn in random order, without augmentation, and images that do not fill a batch are left out.
//
// The model may have any floating-point type; a copy of it runs in float32. If an exporter stored equal statistics of several
// layers only once, they are separated first (parameter.Separate). If a layer is used in several places, its statistics are the
// averages over these. Call ort.Init first.
func Recalibrate(ctx context.Context, m *onnxgraph.Model, set *dataset.Dataset, o Options) (*Report, error) {
	parameter.Separate(m)
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

// renewAll stores the measured statistics in their nodes, and calls then for each node.
func renewAll(m *onnxgraph.Model, measured *measurement, then func(*onnxgraph.Node) error) (*Report, error) {
	report := &Report{Images: measured.images}
	done := map[*onnxgraph.Value]bool{} // nodes of one layer share their statistics
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

// renew stores the measured statistics as the running statistics of a node.
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

// set replaces the elements of a constant by data.
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
			return fmt.Errorf("%q would be %g, which %v cannot hold and a float32 model can: %s", v.Name(), data[i], old.DType(), precision.MakeFloat32)
		}
	}
	if v.Producer() != nil { // a Constant node
		v.Graph().MakeConstant(v, t)
	} else {
		v.SetConstant(t)
	}
	return nil
}
