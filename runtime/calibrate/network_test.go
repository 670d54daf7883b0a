package calibrate_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/calibrate"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// network returns a residual network whose batch normalizations do something, and images for it.
func network(t *testing.T) (*onnxgraph.Model, *calibrate.Images) {
	t.Helper()
	orttest.Init(t)
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 4, Classes: 3, Channels: 2, ImageHeight: 12, ImageWidth: 10})
	if err != nil {
		t.Fatal(err)
	}
	for i, n := range m.Graph.Nodes() {
		for input := 1; n.Is("BatchNormalization") && input <= 4; input++ {
			old := n.Input(input).Constant()
			data, err := convcases.Draw(old.DType(), uint64(10*i+input), old.Dims()...).Float32s()
			if err != nil {
				t.Fatal(err)
			}
			for k := range data {
				if input == 1 || input == 4 {
					data[k] = data[k]/2 + 1
				}
				if input == 3 {
					data[k] /= 4
				}
			}
			v := m.Graph.AddConstant("drawn", onnxgraph.NewTensor(old.Dims(), data))
			if input == 1 { // through a node before all others, as exporters share equal parameters
				identity := m.Graph.AddNode("Identity", []*onnxgraph.Value{v})
				m.Graph.Insert(m.Graph.Nodes()[0], identity)
				v = identity.Output(0)
			}
			n.SetInput(input, v)
		}
	}
	return m, imagesFor(convcases.Case{Input: []int64{1, 2, 12, 10}}, 36)
}

// observe runs a model, and returns what it computes under the given names.
func observe(t *testing.T, m *onnxgraph.Model, images *calibrate.Images, names []string) map[string]convcases.Array {
	t.Helper()
	m = m.Clone()
	m.Graph.RemoveOutputs()
	for _, name := range names {
		m.Graph.AddOutput(m.Graph.Value(name), onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: -1}, {Size: -1}, {Size: -1}})
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	shape := append([]int64{int64(images.Count())}, images.Shape...)
	out, err := s.Run(map[string]*onnxgraph.Tensor{m.Graph.Inputs()[0].Name(): onnxgraph.NewTensor(shape, images.Data)})
	if err != nil {
		t.Fatal(err)
	}
	arrays := map[string]convcases.Array{}
	for name, v := range out {
		arrays[name] = convcases.ArrayOf(v)
	}
	return arrays
}

// TestCalibrateNetwork compares the errors that are reported with what the finished network puts out at each convolution, and
// checks that the means behind the batch normalizations are the source's.
func TestCalibrateNetwork(t *testing.T) {
	t.Parallel()
	source, images := network(t)
	var convs, norms []string
	for _, n := range source.Graph.Nodes() {
		switch {
		case n.Is("Conv") && n.Ints("kernel_shape")[0] > 1:
			convs = append(convs, n.Output(0).Name())
		case n.Is("BatchNormalization") && n.Input(0).Producer().Ints("kernel_shape")[0] > 1:
			norms = append(norms, n.Output(0).Name())
		}
	}
	before := observe(t, source, images, append(convs, norms...))
	for name, held := range map[string]int64{"values kept": 0, "nothing kept": 1} {
		m := source.Clone()
		rows, err := calibrate.Convert(context.Background(), m, calibrate.Options{Convert: transform.Options{Expansion: 3}, Images: images, Held: held})
		if err != nil {
			t.Fatal(err)
		}
		after := observe(t, m, images, append(convs, norms...))
		at := 0
		for _, row := range rows {
			if row.Status != transform.Converted {
				continue
			}
			want := outputError(before[convs[at]], after[convs[at]], true)
			if got := *row.OutputError; math.Abs(got-want) > 1e-3 || at > 0 && got < 0.01 {
				t.Errorf("%s: the output error of %s is reported as %.5f, is %.5f", name, row.Node, got, want)
			}
			at++
		}
		if at != 7 {
			t.Errorf("%s: %d blocks, want 7", name, at)
		}
		for _, norm := range norms {
			size := int(before[norm].Dims[2] * before[norm].Dims[3])
			for c := range int(before[norm].Dims[1]) {
				want, got := channel(before[norm], c, size, false), channel(after[norm], c, size, false)
				if shift := (total(got) - total(want)) / float64(len(want)); math.Abs(shift) > 1e-3 {
					t.Errorf("%s: the mean of %s, channel %d, is off by %.4f", name, norm, c, shift)
				}
			}
		}
	}
}

// TestCalibrateBehindBody has two branches of which one reads a value in a body alone: when the other branch was run, what the body
// puts out must have been kept, since the images are no longer there to compute it.
func TestCalibrateBehindBody(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	m := onnxgraph.New("branches", 8, 18)
	g := m.Graph
	x, err := g.AddInput("x", onnxgraph.Float32, []onnxgraph.Dim{{Size: -1}, {Size: 2}, {Size: 12}, {Size: 10}})
	if err != nil {
		t.Fatal(err)
	}
	conv := func(v *onnxgraph.Value, seed uint64) *onnxgraph.Value {
		filters := g.AddConstant("filters", convcases.Draw(onnxgraph.Float32, seed, 4, 2, 3, 3))
		return g.AddNode("Conv", []*onnxgraph.Value{v, filters}).Output(0)
	}
	relu := g.AddNode("Relu", []*onnxgraph.Value{x}).Output(0)
	convs := []string{conv(x, 1).Name(), conv(relu, 2).Name()}
	g.AddOutput(g.AddNode("Add", []*onnxgraph.Value{g.Value(convs[0]), g.Value(convs[1])}).Output(0), onnxgraph.Float32, nil)
	source, images := convcases.Capture(m, relu.Name()), imagesFor(convcases.Case{Input: []int64{1, 2, 12, 10}}, 36)
	before := observe(t, source, images, convs)
	m = source.Clone()
	rows, err := calibrate.Convert(context.Background(), m, calibrate.Options{Convert: transform.Options{Expansion: 3}, Images: images})
	if err != nil {
		t.Fatal(err)
	}
	after := observe(t, m, images, convs)
	for i, row := range rows {
		want := outputError(before[convs[i]], after[convs[i]], false)
		if got := *row.OutputError; row.Status != transform.Converted || math.Abs(got-want) > 1e-3 {
			t.Errorf("%s is %s with output error %.5f, which is %.5f", row.Node, row.Status, got, want)
		}
	}
}

func total(v []float64) float64 {
	sum := 0.0
	for _, x := range v {
		sum += x
	}
	return sum
}

// TestCalibrateSpanningBanks has banks that lose nothing: nothing may change.
func TestCalibrateSpanningBanks(t *testing.T) {
	t.Parallel()
	source, images := network(t)
	for layout, expansion := range map[transform.Layout]int{transform.Dense: 11, transform.Depthwise: 11} {
		m := source.Clone()
		rows, err := calibrate.Convert(context.Background(), m, calibrate.Options{
			Convert: transform.Options{Layout: layout, Expansion: expansion, Between: transform.BatchNorm}, Images: images,
		})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows {
			if row.Status == transform.Converted && (*row.OutputError > 1e-4 || *row.Error > 1e-3) {
				t.Errorf("%s: %s has the errors %.2g of weights, %.2g of the output", layout, row.Node, *row.Error, *row.OutputError)
			}
		}
	}
}

// TestKeepVariance compares the variance of each convolution's outputs with the source's.
func TestKeepVariance(t *testing.T) {
	t.Parallel()
	source, images := network(t)
	var convs []string
	for _, n := range source.Graph.Nodes() {
		if n.Is("Conv") && n.Ints("kernel_shape")[0] > 1 {
			convs = append(convs, n.Output(0).Name())
		}
	}
	before := observe(t, source, images, convs)
	for _, keep := range []bool{true, false} {
		m := source.Clone()
		if _, err := calibrate.Convert(context.Background(), m, calibrate.Options{Convert: transform.Options{KeepVariance: keep}, Images: images}); err != nil {
			t.Fatal(err)
		}
		after := observe(t, m, images, convs)
		furthest := 0.0
		for _, conv := range convs {
			size := int(before[conv].Dims[2] * before[conv].Dims[3])
			for c := range int(before[conv].Dims[1]) {
				want, got := channel(before[conv], c, size, true), channel(after[conv], c, size, true)
				furthest = max(furthest, math.Abs(dot(got, got)/dot(want, want)-1))
			}
		}
		if keep != (furthest < 1e-3) {
			t.Errorf("keeping the variance %v: a channel is off by %.4f", keep, furthest)
		}
	}
}

// TestCalibrateByError chooses expansions by the error of outputs.
func TestCalibrateByError(t *testing.T) {
	t.Parallel()
	source, images := network(t)
	const bound = 0.4
	convert := func(o transform.Options) []transform.Conversion {
		rows, err := calibrate.Convert(context.Background(), source.Clone(), calibrate.Options{Convert: o, Images: images})
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	// Of the first block the source's filters are followed by no others, so that it can be compared.
	auto := convert(transform.Options{MaxError: bound})[0]
	if *auto.OutputError > bound || auto.Expansion < 2 {
		t.Fatalf("expansion %d has the error %v", auto.Expansion, *auto.OutputError)
	}
	if less := convert(transform.Options{Expansion: auto.Expansion - 1})[0]; *less.OutputError <= bound {
		t.Errorf("expansion %d was chosen, but %d has the error %v", auto.Expansion, less.Expansion, *less.OutputError)
	}
}

// TestCalibrateStops cancels in the middle: the model must be as it was.
func TestCalibrateStops(t *testing.T) {
	t.Parallel()
	m, images := network(t)
	before, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	batches := 0
	_, err = calibrate.Convert(ctx, m, calibrate.Options{Images: images, Progress: func(done, total int, layer string) {
		if batches = done; done > total/2 {
			stop()
		}
	}})
	after, bytesErr := m.Bytes()
	if !errors.Is(err, context.Canceled) || bytesErr != nil || !bytes.Equal(before, after) || batches == 0 {
		t.Errorf("after %d batches: %v, model changed: %v", batches, err, !bytes.Equal(before, after))
	}
}

func TestBadImages(t *testing.T) {
	m, images := network(t)
	infinite := append([]float32(nil), images.Data...)
	infinite[5] = float32(math.Inf(1))
	for _, c := range []struct {
		want   string
		images *calibrate.Images
	}{
		{"no images", nil},
		{"make no images", &calibrate.Images{Shape: images.Shape, Data: images.Data[1:]}},
		{"shape [0 12 10]", &calibrate.Images{Shape: []int64{0, 12, 10}, Data: images.Data}},
		{"[1 2 10 12]", &calibrate.Images{Shape: []int64{2, 10, 12}, Data: images.Data}},
		{"finite", &calibrate.Images{Shape: images.Shape, Data: infinite}},
	} {
		if _, err := calibrate.Convert(context.Background(), m, calibrate.Options{Images: c.images}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want it to say %q", err, c.want)
		}
	}
	if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Calibrate}); err == nil || !strings.Contains(err.Error(), "data") {
		t.Errorf("without data: %v", err)
	}
}
