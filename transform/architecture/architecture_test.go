package architecture_test

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

func build(t *testing.T, name string, o architecture.Options) (*onnxgraph.Model, []byte) {
	t.Helper()
	m, err := architecture.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return m, data
}

// TestParameterCounts compares with counts made by hand. The first three are also what the literature has:
// 272,474 with projection shortcuts, 61,706, and 14,728,266 less the 4,224 biases that torchvision's
// convolutions have before BatchNorm.
func TestParameterCounts(t *testing.T) {
	for _, c := range []struct {
		name    string
		options architecture.Options
		want    int64
	}{
		{"cifar-resnet", architecture.Options{}, 432 + 32 + // stem
			6*2304 + 6*32 + // stage 1
			4608 + 5*9216 + 6*64 + 512 + 64 + // stage 2
			18432 + 5*36864 + 6*128 + 2048 + 128 + // stage 3
			650},
		{"lenet", architecture.Options{}, 150 + 6 + 2400 + 16 + 400*120 + 120 + 120*84 + 84 + 840 + 10},
		{"vgg", architecture.Options{Depth: 16}, 14710464 + 2*4224 + 5130},
		{"vgg", architecture.Options{Width: 8, Classes: 100}, 9*(3*8+8*16+16*32+32*32+32*64+3*64*64) + 2*(8+16+2*32+4*64) + 6500},
		{"cifar-resnet", architecture.Options{Depth: 8, Width: 1, Classes: 2, Channels: 1}, 9 + 2 +
			2*9 + 2*2 +
			18 + 36 + 2*4 + 2 + 4 +
			72 + 144 + 2*8 + 8 + 8 +
			10},
		{"cifar-resnet", architecture.Options{Depth: 32, Width: 1, Classes: 2, Channels: 1}, 9 + 2 +
			5*(2*9+2*2) +
			18 + 36 + 2*4 + 2 + 4 + 4*(2*36+2*4) +
			72 + 144 + 2*8 + 8 + 8 + 4*(2*144+2*8) +
			10},
		{"cifar-resnet", architecture.Options{Depth: 1202, Width: 1, Classes: 2, Channels: 1, ImageHeight: 1 << 16, ImageWidth: 4}, 9 + 2 + // the largest
			200*(2*9+2*2) +
			18 + 36 + 2*4 + 2 + 4 + 199*(2*36+2*4) +
			72 + 144 + 2*8 + 8 + 8 + 199*(2*144+2*8) +
			10},
		{"vgg", architecture.Options{Depth: 13, Width: 1}, 9*(3+1+2+4+8+16+32+3*64) + 2*(2*1+2*2+2*4+4*8) + 90},
		{"vgg", architecture.Options{Depth: 19, Width: 1}, 9*(3+1+2+4+8+3*16+32+7*64) + 2*(2*1+2*2+4*4+8*8) + 90},
		{"lenet", architecture.Options{Width: 3, ImageHeight: 12, ImageWidth: 40}, 75 + 3 + 600 + 8 + 8*1*8*60 + 60 + 60*42 + 42 + 420 + 10},
		{"lenet", architecture.Options{ImageHeight: 32, ImageWidth: 32}, 61706},
	} {
		m, _ := build(t, c.name, c.options)
		var got int64
		for _, v := range m.Graph.Initializers() {
			if !strings.Contains(v.Name(), ".running_") {
				got += v.Constant().Len()
			}
		}
		if got != c.want {
			t.Errorf("%s %+v: %d parameters, want %d", c.name, c.options, got, c.want)
		}
	}
}

// TestRun runs every architecture, with usual and with odd options, for two batch sizes.
func TestRun(t *testing.T) {
	orttest.Init(t)
	options := map[string][]architecture.Options{
		"cifar-resnet": {{}, {Depth: 8, Width: 1, Channels: 1, ImageHeight: 4, ImageWidth: 33, Classes: 1}, {Depth: 14, ImageHeight: 224, ImageWidth: 7}},
		"vgg":          {{Width: 4}, {Depth: 13, Width: 4, ImageHeight: 33, ImageWidth: 95}, {Depth: 16, Width: 3}, {Depth: 19, Width: 1, Channels: 5}},
		"lenet":        {{}, {ImageHeight: 32, ImageWidth: 32, Channels: 3}, {ImageHeight: 12, ImageWidth: 13, Width: 9}, {ImageHeight: 31, ImageWidth: 64}},
	}
	for _, a := range architecture.All() {
		if len(options[a.Name]) == 0 {
			t.Errorf("%s has no test", a.Name)
		}
		for _, o := range options[a.Name] {
			_, data := build(t, a.Name, o)
			s, err := ort.OpenBytes(data, orttest.Options(t))
			if err != nil {
				t.Fatalf("%s %+v: %v", a.Name, o, err)
			}
			for _, batch := range []int64{1, 3} {
				logits, differ := run(t, s, batch)
				if batch > 1 && o.Width != 1 && !differ { // a network of width 1 may be dead
					t.Errorf("%s %+v: different images have the same logits", a.Name, o)
				}
				classes := int64(o.Classes)
				if classes == 0 {
					classes = int64(a.Defaults.Classes)
				}
				if !slices.Equal(logits.Dims(), []int64{batch, classes}) {
					t.Errorf("%s %+v: logits are %v, want %v", a.Name, o, logits.Dims(), []int64{batch, classes})
				}
			}
			s.Close()
		}
	}
}

// TestFeatureMaps runs the network up to where the maps are flattened or averaged: they have the size that the papers give.
func TestFeatureMaps(t *testing.T) {
	orttest.Init(t)
	for _, c := range []struct {
		name    string
		options architecture.Options
		last    string // the layer
		want    []int64
	}{
		{"cifar-resnet", architecture.Options{Width: 2}, "layer1.2.relu2", []int64{1, 2, 32, 32}},
		{"cifar-resnet", architecture.Options{Width: 2}, "layer2.2.relu2", []int64{1, 4, 16, 16}},
		{"cifar-resnet", architecture.Options{Width: 2}, "layer3.2.relu2", []int64{1, 8, 8, 8}},
		{"cifar-resnet", architecture.Options{Width: 2, ImageHeight: 31, ImageWidth: 40}, "layer3.2.relu2", []int64{1, 8, 8, 10}},
		{"vgg", architecture.Options{Width: 1}, "features.28", []int64{1, 8, 1, 1}},
		{"vgg", architecture.Options{Width: 1, ImageHeight: 64, ImageWidth: 100}, "features.28", []int64{1, 8, 2, 3}},
		{"lenet", architecture.Options{}, "pool2", []int64{1, 16, 5, 5}},
		{"lenet", architecture.Options{ImageHeight: 32, ImageWidth: 32}, "pool2", []int64{1, 16, 5, 5}},
		{"lenet", architecture.Options{ImageHeight: 31, ImageWidth: 64}, "pool1", []int64{1, 6, 15, 32}}, // a border, as the height is below 32
	} {
		m, _ := build(t, c.name, c.options)
		name := c.last + ".output"
		m.Graph.AddOutput(m.Graph.Value(name), onnxgraph.Float32, nil)
		shape, _ := m.Graph.Inputs()[0].Shape()
		dims := []int64{1, shape[1].Size, shape[2].Size, shape[3].Size}
		out := orttest.Run(t, m, map[string]*onnxgraph.Tensor{"input": onnxgraph.NewTensor(dims, make([]float32, dims[1]*dims[2]*dims[3]))})
		if got := out[name].Dims(); !slices.Equal(got, c.want) {
			t.Errorf("%s %+v: %s gives maps of %v, want %v", c.name, c.options, c.last, got, c.want)
		}
	}
}

// run runs a session on different images. It returns the logits, and whether those of the first and the
// last image differ.
func run(t *testing.T, s *ort.Session, batch int64) (*onnxgraph.Tensor, bool) {
	t.Helper()
	dims := slices.Clone(s.Inputs()[0].Shape)
	if dims[0] != -1 {
		t.Fatalf("the batch size is fixed: %v", dims)
	}
	dims[0] = batch
	data := make([]float32, batch*dims[1]*dims[2]*dims[3])
	for i := range data {
		data[i] = float32(math.Sin(1.7 * float64(i)))
	}
	outputs, err := s.Run(map[string]*onnxgraph.Tensor{"input": onnxgraph.NewTensor(dims, data)})
	if err != nil {
		t.Fatal(err)
	}
	logits, err := outputs["logits"].Float64s()
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range logits {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			t.Fatalf("logit %d is %v", i, v)
		}
	}
	n := len(logits) / int(batch)
	return outputs["logits"], !slices.Equal(logits[:n], logits[len(logits)-n:])
}

// TestInitialWeights checks bounds and spread of the initial values, and that they depend on the seed only.
func TestInitialWeights(t *testing.T) {
	m, first := build(t, "lenet", architecture.Options{Seed: 7})
	for name, fanIn := range map[string]float64{"conv1.weight": 25, "conv2.weight": 150, "conv2.bias": 150, "fc1.weight": 400, "fc1.bias": 400, "fc3.weight": 84} {
		data, err := m.Graph.Value(name).Constant().Float64s()
		if err != nil {
			t.Fatal(err)
		}
		bound := 1 / math.Sqrt(fanIn)
		low, high, mean := slices.Min(data), slices.Max(data), 0.0
		for _, v := range data {
			mean += v / float64(len(data))
		}
		// n uniform draws stay below reach·bound once in 10,000 cases
		reach := 1 - 2*(1-math.Pow(1e-4, 1/float64(len(data))))
		if low < -bound-1e-7 || high > bound+1e-7 || low > -reach*bound || high < reach*bound || math.Abs(mean) > bound*3/math.Sqrt(3*float64(len(data))) {
			t.Errorf("%s: from %v to %v, mean %v; want uniform in ±%v", name, low, high, mean, bound)
		}
	}
	if _, again := build(t, "lenet", architecture.Options{Seed: 7}); !bytes.Equal(first, again) {
		t.Error("equal options gave different models")
	}
	if _, other := build(t, "lenet", architecture.Options{Seed: 8}); bytes.Equal(first, other) {
		t.Error("different seeds gave the same model")
	}
	r, _ := build(t, "cifar-resnet", architecture.Options{Depth: 8})
	for name, want := range map[string]float64{"bn1.weight": 1, "bn1.bias": 0, "layer3.0.bn2.running_mean": 0, "layer2.0.downsample.1.running_var": 1} {
		data, err := r.Graph.Value(name).Constant().Float64s()
		if err != nil || slices.Min(data) != want || slices.Max(data) != want {
			t.Errorf("%s: %v (%v), want all %v", name, data, err, want)
		}
	}
}

// TestNames checks that layers are called as in PyTorch, and read what they should.
func TestNames(t *testing.T) {
	for _, c := range []struct {
		name    string
		options architecture.Options
		layers  string
		input   []int64 // behind the batch size
	}{
		{"cifar-resnet", architecture.Options{Depth: 8}, `conv1 bn1 relu
			layer1.0.conv1 layer1.0.bn1 layer1.0.relu1 layer1.0.conv2 layer1.0.bn2 layer1.0.add layer1.0.relu2
			layer2.0.conv1 layer2.0.bn1 layer2.0.relu1 layer2.0.conv2 layer2.0.bn2 layer2.0.downsample.0 layer2.0.downsample.1 layer2.0.add layer2.0.relu2
			layer3.0.conv1 layer3.0.bn1 layer3.0.relu1 layer3.0.conv2 layer3.0.bn2 layer3.0.downsample.0 layer3.0.downsample.1 layer3.0.add layer3.0.relu2
			avgpool flatten fc`, []int64{3, 32, 32}},
		{"vgg", architecture.Options{Width: 1}, `features.0 features.1 features.2 features.3 features.4 features.5 features.6 features.7
			features.8 features.9 features.10 features.11 features.12 features.13 features.14 features.15 features.16 features.17
			features.18 features.19 features.20 features.21 features.22 features.23 features.24 features.25 features.26 features.27
			features.28 avgpool flatten classifier`, []int64{3, 32, 32}},
		{"lenet", architecture.Options{Channels: 2, ImageHeight: 12, ImageWidth: 40}, `conv1 relu1 pool1 conv2 relu2 pool2 flatten fc1 relu3 fc2 relu4 fc3`,
			[]int64{2, 12, 40}},
		{"lenet", architecture.Options{}, `conv1 relu1 pool1 conv2 relu2 pool2 flatten fc1 relu3 fc2 relu4 fc3`, []int64{1, 28, 28}},
	} {
		m, _ := build(t, c.name, c.options)
		var got []string
		for _, n := range m.Graph.Nodes() {
			got = append(got, n.Name())
			if n.Is("Conv") && n.Input(1).Name() != n.Name()+".weight" {
				t.Errorf("%s: %s reads the weight %q", c.name, n, n.Input(1).Name())
			}
			if out := n.Output(0).Name(); out != n.Name()+".output" && out != "logits" {
				t.Errorf("%s: %s makes %q", c.name, n, out)
			}
			if n.Is("MaxPool") && (!slices.Equal(n.Ints("kernel_shape"), []int64{2, 2}) || !slices.Equal(n.Ints("strides"), []int64{2, 2}) || slices.Max(n.Ints("pads")) > 0) {
				t.Errorf("%s: %s looks at %v every %v pixels, with padding %v", c.name, n, n.Ints("kernel_shape"), n.Ints("strides"), n.Ints("pads"))
			}
			if n.Is("BatchNormalization") && (n.Float("epsilon", 0) != 1e-5 || n.Float("momentum", 0) != 0.9) {
				t.Errorf("%s: %s has epsilon %v and momentum %v, unlike PyTorch's", c.name, n, n.Float("epsilon", 0), n.Float("momentum", 0))
			}
		}
		if want := strings.Fields(c.layers); !slices.Equal(got, want) {
			t.Errorf("%s: layers:\n%v\nwant:\n%v", c.name, got, want)
		}
		if m.Opset("") != 18 || m.IRVersion() != 8 {
			t.Errorf("%s: opset %d, IR version %d, want 18 and 8", c.name, m.Opset(""), m.IRVersion())
		}
		if shape, _ := m.Graph.Inputs()[0].Shape(); !slices.Equal(shape, append([]onnxgraph.Dim{{Size: -1, Param: "batch"}}, onnxgraph.Static(c.input...)...)) {
			t.Errorf("%s: input shape %v, want batch and %v", c.name, shape, c.input)
		}
	}
}

// TestInitialWeightsGolden pins what the weights start as, so that a seed stands for the same network in every version.
func TestInitialWeightsGolden(t *testing.T) {
	for name, want := range map[string]string{
		"cifar-resnet": "32e64bc3aecee276",
		"vgg":          "8fa2f6506e631dc7",
		"lenet":        "0c494114fd0df892",
	} {
		options := architecture.Options{Seed: 3}
		if name != "lenet" {
			options.Width = 2
		}
		m, _ := build(t, name, options)
		sum := sha256.New()
		for _, v := range m.Graph.Initializers() {
			raw, err := v.Constant().Raw()
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(sum, v.Name(), v.Constant().Dims())
			sum.Write(raw)
		}
		if got := fmt.Sprintf("%x", sum.Sum(nil))[:16]; got != want {
			t.Errorf("%s: the checksum is %s, want %s", name, got, want)
		}
	}
}

func TestInvalidOptions(t *testing.T) {
	for _, c := range []struct {
		name    string
		options architecture.Options
		want    []string // one for each invalid option
	}{
		{"resnet", architecture.Options{}, []string{`"resnet"; choose one of cifar-resnet, vgg, lenet`}},
		{"cifar-resnet", architecture.Options{Depth: 18}, []string{"depth is 18, needs 6n+2"}},
		{"cifar-resnet", architecture.Options{Depth: 2, Width: -1, Classes: -2, Channels: -3, ImageHeight: 3, ImageWidth: 1 << 40},
			[]string{"depth is 2,", "width is -1, needs 1 or more", "classes is -2, needs 1 or more", "channels is -3, needs 1 or more", "height is 3, needs 4 to 65536",
				"image width is 1099511627776, needs 4 to 65536"}},
		{"cifar-resnet", architecture.Options{Depth: 1208, ImageHeight: 1<<16 + 1}, []string{"depth is 1208,", "height is 65537,"}},
		{"vgg", architecture.Options{Width: -1}, []string{"width is -1, needs 1 or more"}},
		{"lenet", architecture.Options{Width: -3}, []string{"width is -3, needs a multiple of 3"}},
		{"cifar-resnet", architecture.Options{Depth: 6*1e8 + 2}, []string{"up to 1202"}},
		{"cifar-resnet", architecture.Options{Width: 1 << 40}, []string{"conv1.weight"}},
		{"vgg", architecture.Options{Depth: 12, ImageHeight: 28, ImageWidth: 28}, []string{"11 or 13 or 16 or 19", "height is 28", "width is 28"}},
		{"lenet", architecture.Options{Depth: 7, Width: 8, ImageHeight: 8}, []string{"depth is 7, needs 5", "width is 8, needs a multiple of 3", "height is 8, needs 12"}},
		{"lenet", architecture.Options{Classes: 1 << 62}, []string{"fc3.weight"}},
	} {
		_, err := architecture.New(c.name, c.options)
		if err == nil {
			t.Errorf("%s %+v: no error", c.name, c.options)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s %+v: error %q lacks %q", c.name, c.options, err, want)
			}
		}
		if lines := strings.Count(err.Error(), "\n") + 1; lines != len(c.want) {
			t.Errorf("%s %+v: %d complaints, want %d: %v", c.name, c.options, lines, len(c.want), err)
		}
	}
}
