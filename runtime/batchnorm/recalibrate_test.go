package batchnorm

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

const side = datasettest.Side

// statistics names those of newModel, in order.
var statistics = []string{"1.running_mean", "1.running_var", "4.running_mean", "4.running_var"}

// newModel returns two convolutions, each with batch normalization and ReLU, with a Dropout between, and with
// running statistics that are far off. The names are those of PyTorch's Sequential.
func newModel(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m := onnxgraph.New("net", 8, 18)
	x, err := m.Graph.AddInput("input", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(1, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	seed := uint64(0)
	constant := func(name string, dims ...int64) *onnxgraph.Value {
		seed++
		return m.Graph.AddConstant(name, convcases.Draw(onnxgraph.Float32, seed, dims...))
	}
	filled := func(name string, v float32, channels int64) *onnxgraph.Value {
		return m.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{channels}, slices.Repeat([]float32{v}, int(channels))))
	}
	in := int64(1)
	for i, out := range []int64{3, 4} {
		layer := func(offset int) string { return strconv.Itoa(3*i + offset) }
		conv := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, constant(layer(0)+".weight", out, in, 3, 3), constant(layer(0)+".bias", out)},
			onnxgraph.Ints("pads", 1, 1, 1, 1))
		norm := m.Graph.AddNode("BatchNormalization", []*onnxgraph.Value{conv.Output(0), constant(layer(1)+".weight", out), constant(layer(1)+".bias", out),
			filled(layer(1)+".running_mean", 7, out), filled(layer(1)+".running_var", 50, out)})
		norm.Rename(layer(1))
		x = m.Graph.AddNode("Relu", []*onnxgraph.Value{norm.Output(0)}).Output(0)
		x = m.Graph.AddNode("Dropout", []*onnxgraph.Value{x}).Output(0)
		in = out
	}
	m.Graph.AddOutput(x, onnxgraph.Float32, nil)
	return m
}

// newOptions are for 6 batches of 8 of a data set of 50 images.
func newOptions(t *testing.T) (*dataset.Dataset, Options) {
	t.Helper()
	orttest.Init(t)
	set, _ := datasettest.OpenCorners(t, 50, 4)
	return set, Options{BatchSize: 8, Seed: 3, Normalize: dataset.Normalization{Mean: []float64{0.3}, Std: []float64{0.2}},
		Session: orttest.Options(t)}
}

// batches returns the images that are run, batch by batch.
func batches(t *testing.T, set *dataset.Dataset, o Options) [][]float32 {
	t.Helper()
	loader, err := dataset.NewLoader(set, dataset.LoaderOptions{BatchSize: o.BatchSize, Shuffle: true, DropLast: true, Seed: o.Seed, Normalize: o.Normalize})
	if err != nil {
		t.Fatal(err)
	}
	var list [][]float32
	for batch, err := range loader.Batches(context.Background(), 0, 0) {
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, slices.Clone(batch.Images))
	}
	return list
}

func constantOf(t *testing.T, m *onnxgraph.Model, name string) []float64 {
	t.Helper()
	data, err := m.Graph.Value(name).Constant().Float64s()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// naive computes the average over batches of what those BatchNormalizations read that are to be measured, in float64, node by
// node. These normalize by the statistics of the batch or, in inference, by running ones, as all others do.
func naive(t *testing.T, m *onnxgraph.Model, images [][]float32, o Options, inference bool) map[string][]float64 {
	t.Helper()
	average := map[string][]float64{}
	for _, batch := range images {
		x := convcases.ArrayOf(onnxgraph.NewTensor([]int64{int64(o.BatchSize), 1, side, side}, batch))
		for _, n := range m.Graph.Sorted() {
			switch n.OpType() {
			case "Conv":
				bias := convcases.Array{}
				if n.Input(2) != nil {
					bias = convcases.ArrayOf(n.Input(2).Constant())
				}
				x = convcases.Convolve(n, x, convcases.ArrayOf(n.Input(1).Constant()), bias)
			case "Relu":
				for i, v := range x.Data {
					x.Data[i] = max(v, 0)
				}
			case "BatchNormalization":
				scale, shift := constantOf(t, m, n.Input(1).Name()), constantOf(t, m, n.Input(2).Name())
				isMeasured := o.Means == nil || slices.Contains(o.Means, n.Input(3).Name())
				for c := range scale {
					mean, variance, elements := momentsOf(x, c)
					for name, v := range map[string]float64{n.Input(3).Name(): mean, n.Input(4).Name(): variance * elements / (elements - 1)} {
						if isMeasured && average[name] == nil {
							average[name] = make([]float64, len(scale))
						}
						if isMeasured {
							average[name][c] += v / float64(len(images))
						}
					}
					if inference || !isMeasured {
						mean, variance = constantOf(t, m, n.Input(3).Name())[c], constantOf(t, m, n.Input(4).Name())[c]
					}
					for _, plane := range planes(x, c) {
						for i, v := range plane {
							plane[i] = (v-mean)/math.Sqrt(variance+1e-5)*scale[c] + shift[c]
						}
					}
				}
			}
		}
	}
	return average
}

// planes returns the numbers of a channel, image by image.
func planes(x convcases.Array, channel int) [][]float64 {
	var list [][]float64
	size := int(x.Dims[2] * x.Dims[3])
	for image := range int(x.Dims[0]) {
		list = append(list, x.Data[(image*int(x.Dims[1])+channel)*size:][:size])
	}
	return list
}

func momentsOf(x convcases.Array, channel int) (mean, variance, elements float64) {
	elements = float64(len(x.Data)) / float64(x.Dims[1])
	numbers := slices.Concat(planes(x, channel)...)
	for _, v := range numbers {
		mean += v / elements
	}
	for _, v := range numbers {
		variance += (v - mean) * (v - mean) / elements
	}
	return mean, variance, elements
}

func near(t *testing.T, name string, got, want []float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s has %d elements, want %d", name, len(got), len(want))
	}
	for i := range want {
		if !(math.Abs(got[i]-want[i]) <= 1e-5*math.Max(1, math.Abs(want[i]))) {
			t.Errorf("%s is %v, want %v", name, got, want)
			return
		}
	}
}

func TestRecalibrate(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	training := func(opset int64, outputs int) *onnxgraph.Model { // as exported in training mode
		m := newModel(t)
		m.SetOpset("", opset)
		for _, n := range m.Graph.Nodes() {
			for i := range outputs {
				if n.Is("BatchNormalization") {
					n.NeedOutput(i)
				}
			}
			if n.Is("BatchNormalization") && opset >= 14 {
				n.SetAttr(onnxgraph.Int("training_mode", 1))
			}
		}
		return m
	}
	want := naive(t, newModel(t), batches(t, set, o), o, false)
	for name, m := range map[string]*onnxgraph.Model{
		"for inference": newModel(t), "in training mode": training(18, 3), "in training mode, without its outputs": training(18, 1),
		"in training mode, told by the outputs": training(11, 5),
	} {
		t.Run(name, func(t *testing.T) {
			before := m.Clone()
			report, err := Recalibrate(context.Background(), m, set, o)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range want {
				near(t, name, constantOf(t, m, name), values)
			}
			for _, v := range before.Graph.Initializers() {
				if _, measured := want[v.Name()]; !measured {
					near(t, v.Name(), constantOf(t, m, v.Name()), constantOf(t, before, v.Name()))
				}
			}
			shift, ratio := 0.0, 1.0
			for c, mean := range want["4.running_mean"] {
				shift += (mean - 7) * (mean - 7) / (50 + 1e-5) / 4
				ratio *= math.Pow((want["4.running_var"][c]+1e-5)/(50+1e-5), 0.25)
			}
			last := report.Changes[1]
			if report.Images != 48 || len(report.Changes) != 2 || last.Node != "4" || last.Channels != 4 {
				t.Errorf("report %+v, want one of 48 images and nodes 1 and 4", report)
			}
			near(t, "mean shift and variance ratio", []float64{last.MeanShift, last.VarianceRatio}, []float64{math.Sqrt(shift), ratio})
		})
	}
}

// TestBodies has normalizations in bodies of other nodes and in functions, which are not measured: that is an error that names
// them all, and the model stays as it was.
func TestBodies(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	flat := newModel(t)
	g := flat.Graph
	g.Rename(g.Inputs()[0], convcases.X)
	g.Rename(g.Outputs()[0], convcases.Y)
	for _, place := range convcases.Places {
		t.Run(place.Name, func(t *testing.T) {
			m := convcases.Nest(flat, place)
			before, err := m.Bytes()
			if err != nil {
				t.Fatal(err)
			}
			_, err = Recalibrate(context.Background(), m, set, o)
			if err == nil || !strings.Contains(err.Error(), "only the main graph is measured") {
				t.Fatalf("got error %v, want one that says so", err)
			}
			for _, name := range []string{`"1"`, `"4"`} {
				if !strings.Contains(err.Error(), name) {
					t.Errorf("error %v does not name %s", err, name)
				}
			}
			if after, err := m.Bytes(); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the model was changed (%v)", err)
			}
		})
	}
}

// TestRecalibrateSharedLayer checks that a layer that is used at two places gets the averages over both.
func TestRecalibrateSharedLayer(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	m := onnxgraph.New("net", 8, 18)
	x, err := m.Graph.AddInput("input", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(1, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	var parameters []*onnxgraph.Value
	for i, name := range []string{"scale", "shift", "mean", "var"} {
		parameters = append(parameters, m.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{1}, []float32{float32(i) + 0.2345678})))
	}
	norm := func(v *onnxgraph.Value) *onnxgraph.Value {
		return m.Graph.AddNode("BatchNormalization", append([]*onnxgraph.Value{v}, parameters...)).Output(0)
	}
	square := m.Graph.AddNode("Mul", []*onnxgraph.Value{x, x}).Output(0)
	m.Graph.AddOutput(m.Graph.AddNode("Add", []*onnxgraph.Value{norm(x), norm(square)}).Output(0), onnxgraph.Float32, nil)
	report, err := Recalibrate(context.Background(), m, set, o)
	if err != nil || len(report.Changes) != 1 || report.Changes[0].MeanShift == 0 {
		t.Fatalf("%+v, %v: want one change", report, err)
	}
	var want [2]float64
	images := batches(t, set, o)
	for _, batch := range images {
		for power := 1; power <= 2; power++ {
			v := convcases.ArrayOf(onnxgraph.NewTensor([]int64{int64(o.BatchSize), 1, side, side}, batch))
			for i := range v.Data {
				v.Data[i] = math.Pow(v.Data[i], float64(power))
			}
			mean, variance, elements := momentsOf(v, 0)
			want[0] += mean / 2 / float64(len(images))
			want[1] += variance * elements / (elements - 1) / 2 / float64(len(images))
		}
	}
	near(t, "mean", constantOf(t, m, "mean"), want[:1])
	near(t, "var", constantOf(t, m, "var"), want[1:])
}

// TestSample checks how many images are run, and that no more are taken than asked for.
func TestSample(t *testing.T) {
	t.Parallel()
	set, o := newOptions(t)
	for _, c := range []struct{ batch, images, want int }{{8, 0, 48}, {8, 17, 16}, {8, 5, 5}, {64, 0, 50}, {8, 1000, 48}} {
		o.BatchSize, o.Images = c.batch, c.images
		var told int
		o.Progress = func(done, total int) {
			if told = done; total != c.want {
				t.Errorf("announces %d images, want %d", total, c.want)
			}
		}
		report, err := Recalibrate(context.Background(), newModel(t), set, o)
		if err != nil || report.Images != c.want || told != c.want {
			t.Errorf("batch size %d, %d images: %+v (%v), told %d, want %d", c.batch, c.images, report, err, told, c.want)
		}
	}
}

// TestAgreesWithPyTorch compares with update_bn on the same batches.
func TestAgreesWithPyTorch(t *testing.T) {
	python := peer.Python(t, "torch", "onnx")
	set, o := newOptions(t)
	m, folder := newModel(t), t.TempDir()
	path := func(name string) string { return filepath.Join(folder, name) }
	var raw []byte
	for _, batch := range batches(t, set, o) {
		raw, _ = binary.Append(raw, binary.LittleEndian, batch)
	}
	if err := errors.Join(m.Save(path("model.onnx"), onnxgraph.ExternalAsRead), os.WriteFile(path("batches"), raw, 0o644)); err != nil {
		t.Fatal(err)
	}
	script := exec.Command(python, "../../testdata/torch/update_bn.py", path("model.onnx"), path("batches"), strconv.Itoa(o.BatchSize), strconv.Itoa(side), path("out"))
	if out, err := script.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	out, err := os.ReadFile(path("out"))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]float32, len(out)/4)
	if _, err := binary.Decode(out, binary.LittleEndian, want); err != nil {
		t.Fatal(err)
	}
	if _, err := Recalibrate(context.Background(), m, set, o); err != nil {
		t.Fatal(err)
	}
	var got []float64
	for _, name := range statistics {
		got = append(got, constantOf(t, m, name)...)
	}
	wide := make([]float64, len(want))
	for i, v := range want {
		wide[i] = float64(v)
	}
	near(t, "statistics", got, wide)
}

func TestFaults(t *testing.T) {
	set, o := newOptions(t)
	without := newModel(t)
	for _, n := range without.Graph.Nodes() {
		if n.Is("BatchNormalization") {
			onnxgraph.ReplaceUses(n.Output(0), n.Input(0))
			without.Graph.Remove(n)
		}
	}
	damaged := newModel(t)
	damaged.Graph.Value("3.bias").SetConstant(onnxgraph.NewTensor([]int64{4}, []float32{1, float32(math.NaN()), 0, 0}))
	for _, c := range []struct {
		name string
		m    *onnxgraph.Model
		want string
	}{
		{"no BatchNormalization", without, "no BatchNormalization"},
		{"damaged weights", damaged, `"4.running_mean" would be NaN in channel 1`},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := constantsOf(c.m)
			_, err := Recalibrate(context.Background(), c.m, set, o)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got error %v, want one with %q", err, c.want)
			}
			if !slices.Equal(before, constantsOf(c.m)) {
				t.Error("the model was changed")
			}
		})
	}
	t.Run("one number per channel", func(t *testing.T) {
		m := newModel(t)
		norm := m.Graph.Nodes()[1]
		norm.SetInput(0, m.Graph.AddNode("GlobalAveragePool", []*onnxgraph.Value{norm.Input(0)}).Output(0))
		o := o
		o.BatchSize = 1
		if _, err := Recalibrate(context.Background(), m, set, o); err == nil || !strings.Contains(err.Error(), "2 images or more") {
			t.Errorf("got error %v, want one that says so", err)
		}
		o.BatchSize = 2 // whose two numbers have a variance
		if report, err := Recalibrate(context.Background(), m, set, o); err != nil || len(report.Changes) != 2 {
			t.Errorf("batches of 2: %+v, %v", report, err)
		}
	})
	t.Run("stopped", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		m, o := newModel(t), o
		o.Progress = func(int, int) { cancel() }
		before := constantsOf(m)
		if _, err := Recalibrate(ctx, m, set, o); !errors.Is(err, context.Canceled) || !slices.Equal(before, constantsOf(m)) {
			t.Errorf("got error %v, want a model as it was and %v", err, context.Canceled)
		}
	})
}

// constantsOf returns the tensors of all initializers, which stay the same if the model does.
func constantsOf(m *onnxgraph.Model) []*onnxgraph.Tensor {
	var list []*onnxgraph.Tensor
	for _, v := range m.Graph.Initializers() {
		list = append(list, v.Constant())
	}
	return list
}
