package evaluate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/png"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/datasettest"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

const (
	side    = 12 // pixels of the images' height and width
	classes = 12
	samples = 30
)

var normalization = dataset.Normalization{Mean: []float64{0.4}, Std: []float64{0.25}}

// newSet writes noise, with some black and some white pixels, as an IDX data set.
func newSet(t *testing.T) *dataset.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 1))
	var labels, pixels []byte
	for range samples {
		labels = append(labels, byte(rng.IntN(classes)))
		for range side * side {
			pixels = append(pixels, byte(min(max(rng.IntN(356)-50, 0), 255)))
		}
	}
	folder := t.TempDir()
	datasettest.WriteIDX(t, folder, "t10k", side, labels, func(i, x, y int) byte { return pixels[(i*side+y)*side+x] })
	set, err := dataset.Open(folder, dataset.Options{Split: dataset.Test, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// newColorSet writes noise as a data set of small color images: a folder of PNG files for each class.
func newColorSet(t *testing.T) *dataset.Dataset {
	t.Helper()
	rng := rand.New(rand.NewPCG(3, 1))
	folder := t.TempDir()
	for i := range samples {
		picture := image.NewNRGBA(image.Rect(0, 0, 5, 4))
		for j := range picture.Pix {
			picture.Pix[j] = byte(rng.IntN(256))
			if j%4 == 3 {
				picture.Pix[j] = 255
			}
		}
		class := filepath.Join(folder, fmt.Sprintf("%02d", i%classes))
		if err := os.MkdirAll(class, 0o755); err != nil {
			t.Fatal(err)
		}
		var data bytes.Buffer
		if err := errors.Join(png.Encode(&data, picture), os.WriteFile(filepath.Join(class, fmt.Sprintf("%d.png", i)), data.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	set, err := dataset.Open(folder, dataset.Options{Shape: dataset.Shape{Channels: 3, Height: 4, Width: 5}, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// all returns the images of a set as the model gets them, and the labels.
func all(t *testing.T, set *dataset.Dataset, n dataset.Normalization) (images []float32, labels []int64) {
	t.Helper()
	n, err := n.For(set.Shape.Channels)
	if err != nil {
		t.Fatal(err)
	}
	pixels := make([]uint8, set.Shape.Size())
	plane := set.Shape.Height * set.Shape.Width
	for i := range set.Len() {
		if err := set.Pixels(i, pixels); err != nil {
			t.Fatal(err)
		}
		labels = append(labels, set.Label(i))
		for c := range set.Shape.Channels {
			from := c
			if n.Channels == dataset.BGR {
				from = 2 - c
			}
			for _, v := range pixels[from*plane:][:plane] {
				x := float64(v) / 255
				if n.Std != nil {
					x = (x - n.Mean[c]) / n.Std[c]
				}
				images = append(images, float32(x))
			}
		}
	}
	return images, labels
}

func leNet(t *testing.T) *onnxgraph.Model {
	t.Helper()
	m, err := architecture.New("lenet", architecture.Options{Width: 3, Classes: classes, Channels: 1, ImageHeight: side, ImageWidth: side, Seed: 5})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// linear is a net of one matrix [144, 12], which it returns too.
func linear(t *testing.T, scale float64) (*onnxgraph.Model, []float32) {
	t.Helper()
	return linearOn(t, scale, dataset.Shape{Channels: 1, Height: side, Width: side})
}

// linearOn is linear for images of a shape.
func linearOn(t *testing.T, scale float64, shape dataset.Shape) (*onnxgraph.Model, []float32) {
	t.Helper()
	m := onnxgraph.New("linear", 8, 18)
	dims := append([]onnxgraph.Dim{{Size: -1}}, onnxgraph.Static(int64(shape.Channels), int64(shape.Height), int64(shape.Width))...)
	image, err := m.Graph.AddInput("input", onnxgraph.Float32, dims)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(2, 2))
	w := make([]float32, shape.Size()*classes)
	for i := range w {
		w[i] = float32(scale * rng.NormFloat64())
	}
	flat := m.Graph.AddNode("Flatten", []*onnxgraph.Value{image})
	product := m.Graph.AddNode("MatMul", []*onnxgraph.Value{flat.Output(0), m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{int64(shape.Size()), classes}, w))})
	m.Graph.AddOutput(product.Output(0), onnxgraph.Float32, nil)
	return m, w
}

// fit returns a model for so many images at a time of a shape.
func fit(t *testing.T, m *onnxgraph.Model, batch int, shape dataset.Shape) *onnxgraph.Model {
	t.Helper()
	orttest.Init(t)
	fitted, err := specialize.Model(m, []int64{int64(batch), int64(shape.Channels), int64(shape.Height), int64(shape.Width)})
	if err != nil {
		t.Fatal(err)
	}
	return fitted
}

func newEvaluator(t *testing.T, m *onnxgraph.Model, set *dataset.Dataset, o Options) *evaluator {
	t.Helper()
	o.Session.IntraOpThreads = 1
	e, err := open(fit(t, m, o.BatchSize, set.Shape), "input", set, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { e.close() })
	return e
}

func measure(t *testing.T, m *onnxgraph.Model, set *dataset.Dataset, o Options) Result {
	t.Helper()
	result, err := newEvaluator(t, m, set, o).measure(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// logits runs the model itself on all images at once.
func logits(t *testing.T, m *onnxgraph.Model, images []float32) []float32 {
	t.Helper()
	shape, _ := m.Graph.Inputs()[0].Shape()
	dims := []int64{-1, shape[1].Size, shape[2].Size, shape[3].Size}
	dims[0] = int64(len(images)) / (dims[1] * dims[2] * dims[3])
	out := orttest.Run(t, m, map[string]*onnxgraph.Tensor{"input": onnxgraph.NewTensor(dims, images)})
	result, err := out[m.Graph.Outputs()[0].Name()].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return result
}

// naive measures logits by sorting, and adds up exponentials two at a time, so that none is out of range.
func naive(logits []float32, labels []int64) Result {
	r := Result{Samples: len(labels)}
	share := 1 / float64(len(labels))
	for i, label := range labels {
		row := logits[i*classes : (i+1)*classes]
		logSum := math.Inf(-1)
		for _, v := range row {
			small, large := math.Min(logSum, float64(v)), math.Max(logSum, float64(v))
			logSum = large + math.Log1p(math.Exp(small-large))
		}
		r.Loss += share * (logSum - float64(row[label]))
		order := make([]int, classes)
		for k := range order {
			order[k] = k
		}
		slices.SortStableFunc(order, func(a, b int) int {
			switch {
			case row[a] > row[b]:
				return -1
			case row[a] < row[b]:
				return 1
			}
			return 0
		})
		if order[0] == int(label) {
			r.Top1 += share
		}
		if slices.Contains(order[:5], int(label)) {
			r.Top5 += share
		}
	}
	return r
}

func near(a, b, tolerance float64) bool { return math.Abs(a-b) <= tolerance }

func TestMeasure(t *testing.T) {
	t.Parallel()
	set := newSet(t)
	m := leNet(t)
	softmax := leNet(t)
	ended := softmax.Graph.AddNode("Softmax", []*onnxgraph.Value{softmax.Graph.Outputs()[0]})
	softmax.Graph.RemoveOutputs()
	softmax.Graph.AddOutput(ended.Output(0), onnxgraph.Float32, nil)
	wide, _ := linear(t, 0.3)
	huge, _ := linear(t, 60) // logits of about ±1000, whose exponentials float64 does not hold
	equal, _ := linear(t, 0) // all logits are the same
	cases := []struct {
		name      string
		model     *onnxgraph.Model
		reference *onnxgraph.Model
		batch     int
		normalize dataset.Normalization
	}{
		{"last batch incomplete", m, m, 8, normalization},
		{"batches that fit", m, m, 10, normalization},
		{"batch larger than the set", m, m, 64, normalization},
		{"no normalization", m, m, 7, dataset.Normalization{}},
		{"softmax at the end", softmax, m, 8, normalization},
		{"large logits", wide, wide, 8, normalization},
		{"huge logits", huge, huge, 8, normalization},
		{"equal logits", equal, equal, 8, normalization},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			images, labels := all(t, set, c.normalize)
			want := naive(logits(t, c.reference, images), labels)
			got := measure(t, c.model, set, Options{BatchSize: c.batch, Normalize: c.normalize})
			if got.Samples != samples || !near(got.Loss, want.Loss, 1e-5*want.Loss) || !near(got.Top1, want.Top1, 1e-9) || !near(got.Top5, want.Top5, 1e-9) {
				t.Errorf("got %+v, want %+v", got, want)
			}
			if got.RobustTop1 != nil {
				t.Error("an attack was measured that nobody asked for")
			}
		})
	}
}

func TestFaults(t *testing.T) {
	set := newSet(t)
	broken := func(v float32) *onnxgraph.Model {
		m, w := linear(t, 0.1)
		w = slices.Clone(w)
		w[7] = v
		m.Graph.Value("w").SetConstant(onnxgraph.NewTensor([]int64{side * side, classes}, w))
		return m
	}
	for name, v := range map[string]float64{"NaN": math.NaN(), "infinity": math.Inf(-1)} {
		t.Run(name, func(t *testing.T) {
			_, err := newEvaluator(t, broken(float32(v)), set, Options{BatchSize: 8}).measure(context.Background())
			if err == nil || !strings.Contains(err.Error(), "not finite numbers") {
				t.Errorf("got error %v, want one that says so", err)
			}
		})
	}
	t.Run("stopped", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		m, _ := linear(t, 0.1)
		done, total := 0, 0
		_, err := newEvaluator(t, m, set, Options{BatchSize: 8, Progress: func(n, of int) { done, total = n, of; cancel() }}).measure(ctx)
		if err == nil || done != 8 || total != set.Len() {
			t.Errorf("got error %v after %d of %d samples, want one after 8 of %d", err, done, total, set.Len())
		}
	})
	t.Run("label outside the classes", func(t *testing.T) {
		for _, label := range []int64{-1, 3} {
			var sum tally
			if err := sum.add(make([]float32, 6), []int64{1, label}, 2); err == nil {
				t.Errorf("label %d of classes 0 to 2: no error", label)
			}
		}
	})
}

// TestNotMeasured has what cannot be measured, by Measure and by Predict: the error says why, wherever it comes up.
func TestNotMeasured(t *testing.T) {
	t.Parallel()
	gray, colors := newSet(t), newColorSet(t)
	damaged := newColorSet(t)
	if err := os.Truncate(damaged.Name(20), 30); err != nil {
		t.Fatal(err)
	}
	plain, _ := linear(t, 0.1)
	colored, _ := linearOn(t, 0.1, colors.Shape)
	logarithm := func() *onnxgraph.Model { // which black pixels make infinite; the data have none, but attacks make some
		m, _ := linear(t, 0.1)
		matrix := m.Graph.Outputs()[0].Producer()
		matrix.SetInput(0, m.Graph.AddNode("Log", []*onnxgraph.Value{matrix.Input(0)}).Output(0))
		return m
	}()
	underivable, _ := linear(t, 0.1)
	matrix := underivable.Graph.Outputs()[0].Producer()
	matrix.SetInput(0, underivable.Graph.AddNode("Atan", []*onnxgraph.Value{matrix.Input(0)}).Output(0))
	failing, _ := linear(t, 0.1) // it looks up what is beyond the end of a table
	brightest := failing.Graph.AddNode("ReduceMax", []*onnxgraph.Value{failing.Graph.Inputs()[0]}, onnxgraph.Int("keepdims", 0)).Output(0)
	far := failing.Graph.AddNode("Mul", []*onnxgraph.Value{brightest, failing.Graph.AddConstant("far", onnxgraph.NewScalar[float32](1000))}).Output(0)
	index := failing.Graph.AddNode("Cast", []*onnxgraph.Value{far}, onnxgraph.Int("to", int64(onnxgraph.Int64))).Output(0)
	entry := failing.Graph.AddNode("Gather", []*onnxgraph.Value{failing.Graph.AddConstant("table", onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})), index}).Output(0)
	scores := failing.Graph.Outputs()[0]
	failing.Graph.RemoveOutputs()
	failing.Graph.AddOutput(failing.Graph.AddNode("Add", []*onnxgraph.Value{scores, entry}).Output(0), onnxgraph.Float32, nil)
	folder := t.TempDir()
	datasettest.WriteIDX(t, folder, "t10k", side, []byte{0, 1, 2, 3}, func(i, x, y int) byte { return byte(1 + x) })
	dark, err := dataset.Open(folder, dataset.Options{Split: dataset.Test, Classes: classes})
	if err != nil {
		t.Fatal(err)
	}
	reaching, _ := linear(t, 0.1) // as failing, where an attack makes an image brighter
	{
		g := reaching.Graph
		bright := g.AddNode("ReduceMax", []*onnxgraph.Value{g.Inputs()[0]}, onnxgraph.Int("keepdims", 0)).Output(0)
		scaled := g.AddNode("Mul", []*onnxgraph.Value{bright, g.AddConstant("thirty", onnxgraph.NewScalar[float32](30))}).Output(0)
		index := g.AddNode("Cast", []*onnxgraph.Value{scaled}, onnxgraph.Int("to", int64(onnxgraph.Int64))).Output(0)
		entry := g.AddNode("Gather", []*onnxgraph.Value{g.AddConstant("short", onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3})), index}).Output(0)
		scores := g.Outputs()[0]
		g.RemoveOutputs()
		g.AddOutput(g.AddNode("Add", []*onnxgraph.Value{scores, entry}).Output(0), onnxgraph.Float32, nil)
	}
	for _, c := range []struct {
		name     string
		model    *onnxgraph.Model
		set      *dataset.Dataset
		options  Options
		want     string
		attacked bool // whether it is only the attack that fails
	}{
		{"an image that cannot be read", colored, damaged, Options{BatchSize: 8}, damaged.Name(20), false},
		{"normalization of another number of channels", plain, gray, Options{BatchSize: 8, Normalize: dataset.Normalization{Mean: []float64{0, 0}, Std: []float64{1, 1}}},
			"measuring on " + gray.Path + ": normalization has 2 means", false},
		{"a model that fails as it runs", failing, gray, Options{BatchSize: 8}, "Gather", false},
		{"an operator without a gradient", underivable, gray, Options{BatchSize: 8, Epsilon: 0.1}, "Atan", true},
		{"a model that fails on images under attack", reaching, dark, Options{BatchSize: 4, Epsilon: 0.1}, "Gather", true},
		{"not finite under attack", logarithm, dark, Options{BatchSize: 4, Epsilon: 0.1}, "not finite numbers", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			fitted := fit(t, c.model, c.options.BatchSize, c.set.Shape)
			_, err := Measure(t.Context(), fitted, "input", c.set, c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("measured: error %v, want %q in it", err, c.want)
			}
			seen := 0
			err = Predict(t.Context(), fitted, "input", c.set, c.options, func(int, []float64) { seen++ })
			if c.attacked && (err != nil || seen != c.set.Len()) || !c.attacked && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("predicted %d images: error %v", seen, err)
			}
			if c.options.Epsilon = 0; c.attacked {
				if _, err := Measure(t.Context(), fitted, "input", c.set, c.options); err != nil {
					t.Errorf("without an attack: %v", err)
				}
			}
		})
	}
	t.Run("several outputs", func(t *testing.T) {
		m, _ := linear(t, 0.1)
		m.Graph.AddOutput(m.Graph.AddNode("Neg", []*onnxgraph.Value{m.Graph.Outputs()[0]}).Output(0), onnxgraph.Float32, nil)
		fitted := fit(t, m, 8, gray.Shape)
		err := Predict(t.Context(), fitted, "input", gray, Options{BatchSize: 8}, func(int, []float64) {})
		if err == nil || !strings.Contains(err.Error(), "--logits") {
			t.Errorf("predicted: error %v", err)
		}
		if _, err := Measure(t.Context(), fitted, "input", gray, Options{BatchSize: 8}); err == nil || !strings.Contains(err.Error(), "--logits") {
			t.Errorf("measured: error %v", err)
		}
	})
	t.Run("memory of an attack", func(t *testing.T) {
		fitted := fit(t, underivable, 8, gray.Shape)
		if _, err := PlanMemory(fitted, "input", Options{BatchSize: 8}); err != nil {
			t.Error(err)
		}
		if _, err := PlanMemory(fitted, "input", Options{BatchSize: 8, Epsilon: 0.1}); err == nil || !strings.Contains(err.Error(), "Atan") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("batches of no images", func(t *testing.T) {
		if _, err := Measure(t.Context(), fit(t, plain, 1, gray.Shape), "input", gray, Options{}); err == nil || !strings.Contains(err.Error(), "batch size 0") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("predictions that are stopped or not finite", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		done := 0
		o := Options{BatchSize: 8, Progress: func(n, _ int) { done = n; cancel() }}
		if err := Predict(ctx, fit(t, plain, 8, gray.Shape), "input", gray, o, func(int, []float64) {}); !errors.Is(err, context.Canceled) || done != 8 {
			t.Errorf("error %v after %d images, want that it was stopped after 8", err, done)
		}
		err := Predict(t.Context(), fit(t, logarithm, 8, gray.Shape), "input", gray, Options{BatchSize: 8}, func(int, []float64) {})
		if err == nil || !strings.Contains(err.Error(), "not finite numbers") {
			t.Errorf("black pixels: error %v", err)
		}
	})
}
