package secondopinion

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/internal/secondopiniontest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/secondopinion/protocol"
)

// answerVariable has a process that a test started print what the variable says, in the place of the second engine's program.
const answerVariable = "RCFREEZE_TEST_ANSWER"

func TestMain(m *testing.M) {
	if answer, set := os.LookupEnv(answerVariable); set {
		fmt.Print(answer)
		os.Exit(0)
	}
	os.Exit(withProgram(m))
}

// withProgram runs the tests with the second engine's program on PATH.
func withProgram(m *testing.M) int {
	folder, err := os.MkdirTemp("", "")
	if err == nil {
		defer os.RemoveAll(folder)
		err = secondopiniontest.Build(folder)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

// built returns the program that withProgram has built.
func built(t *testing.T) string {
	t.Helper()
	program, err := Find()
	if err != nil {
		t.Fatal(err)
	}
	return program
}

// net is a model under construction: nodes are added by its builder.
type net struct {
	*onnxgraph.Builder
	random *rand.Rand
	x      *onnxgraph.Value // the input
	batch  int64
}

type values = []*onnxgraph.Value

func (n *net) normal(dims ...int64) *onnxgraph.Tensor {
	size := int64(1)
	for _, d := range dims {
		size *= d
	}
	data := make([]float32, size)
	for i := range data {
		data[i] = float32(n.random.NormFloat64())
	}
	return onnxgraph.NewTensor(dims, data)
}

// weights adds a constant of random numbers.
func (n *net) weights(dims ...int64) *onnxgraph.Value {
	return n.Graph.AddConstant("w", n.normal(dims...))
}

func (n *net) conv(x *onnxgraph.Value, in, out, k int64, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	attrs = append(attrs, onnxgraph.Ints("kernel_shape", k, k))
	return n.Op("Conv", values{x, n.weights(out, in, k, k), n.weights(out)}, attrs...)
}

func (n *net) batchNorm(x *onnxgraph.Value, channels int64) *onnxgraph.Value {
	variance := n.Op("Identity", values{n.Fill(onnxgraph.Float32, 0.7, channels)})
	return n.Op("BatchNormalization",
		values{x, n.weights(channels), n.weights(channels), n.weights(channels), variance},
		onnxgraph.Float("epsilon", 0.01))
}

// build makes the model file of one case for a batch, and an input for it.
func (c testCase) build(t *testing.T, batch int64) (path string, m *onnxgraph.Model, input *onnxgraph.Tensor) {
	t.Helper()
	if c.opset == 0 {
		c.opset = 13
	}
	m = onnxgraph.New("test", 7, c.opset)
	dims := append([]int64{batch}, c.dims...)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(c.dims...)...))
	if err != nil {
		t.Fatal(err)
	}
	n := &net{onnxgraph.NewBuilder(m.Graph), rand.New(rand.NewPCG(1, 2)), x, batch}
	y := c.output(n)
	shape := make([]onnxgraph.Dim, c.rank)
	for i := range shape {
		shape[i].Size = -1
	}
	m.Graph.AddOutput(y, onnxgraph.Float32, shape)
	path = filepath.Join(t.TempDir(), "model.onnx")
	if err := m.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
	return path, m, n.normal(dims...)
}

// reference runs a model in ONNX Runtime.
func reference(t *testing.T, path string, input *onnxgraph.Tensor) *onnxgraph.Tensor {
	t.Helper()
	orttest.Init(t)
	session, err := ort.Open(path, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	name := session.Outputs()[0].Name
	outputs, err := session.Run(map[string]*onnxgraph.Tensor{session.Inputs()[0].Name: input}, name)
	if err != nil {
		t.Fatal(err)
	}
	return outputs[name]
}

const tolerance = 1e-5 // relative; float32 sums in another order

func TestWhiteListAgreesWithONNXRuntime(t *testing.T) {
	t.Parallel()
	unseen := map[string]bool{}
	for op := range whiteList {
		unseen[op] = true
	}
	for _, c := range right {
		t.Run(c.name, func(t *testing.T) {
			for batch := int64(1); batch <= 2; batch++ {
				path, m, input := c.build(t, batch)
				for _, n := range m.Graph.Nodes() {
					delete(unseen, n.OpType())
				}
				output, err := Run(context.Background(), path, input)
				if err != nil {
					t.Fatal(err)
				}
				d, err := Compare(output, reference(t, path, input))
				if err != nil || d.MaxRel > tolerance {
					t.Errorf("batch %d: difference %v, %v", batch, d, err)
				}
			}
		})
	}
	if len(unseen) > 0 {
		t.Errorf("operators of the white list that no case has: %v", unseen)
	}
}

// TestEveryRuleIsNeeded asks the engine in spite of Check: it must fail or be wrong for some batch, or the
// rule is too strict.
func TestEveryRuleIsNeeded(t *testing.T) {
	t.Parallel()
	for _, c := range wrong {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			needed := false
			for batch := int64(1); batch <= 2; batch++ {
				path, m, input := c.build(t, batch)
				if got := strings.Join(Check(m), "\n"); !strings.Contains(got, c.reason) {
					t.Errorf("reasons %q, want %q", got, c.reason)
				}
				ask := protocol.Request{Model: path, Input: "x", Output: m.Graph.Outputs()[0].Name(), Dims: input.Dims()}
				raw, err := input.Raw()
				if err != nil {
					t.Fatal(err)
				}
				output, err := callChild(context.Background(), built(t), ask, raw)
				if err != nil {
					needed = true
					continue
				}
				d, err := Compare(output, reference(t, path, input))
				needed = needed || err != nil || d.MaxRel > tolerance
			}
			if !needed {
				t.Error("the engine is right")
			}
		})
	}
}

func TestCheckTakesMalformedNodes(t *testing.T) {
	t.Parallel()
	for op := range whiteList {
		m := onnxgraph.New("test", 7, 13)
		m.Graph.AddNode(op, nil)
		if got := strings.Join(Check(m), "\n"); !strings.Contains(got, op+": ") {
			t.Errorf("%s without inputs and attributes: reasons %q", op, got)
		}
	}
}

func TestRunSaysWhyNot(t *testing.T) {
	t.Parallel()
	good := testCase{dims: []int64{3, 4, 4}, rank: 4, output: func(n *net) *onnxgraph.Value { return n.Op("Relu", values{n.x}) }}
	path, _, input := good.build(t, 1)
	canceled, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(canceled, path, input); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
	for want, other := range map[string]*onnxgraph.Tensor{
		"got float32 of dims [1 3 5 5], the model declares float32 of [-1 3 4 4]":   onnxgraph.NewTensor([]int64{1, 3, 5, 5}, make([]float32, 75)),
		"got float32 of dims [1 48], the model declares float32 of [-1 3 4 4]":      onnxgraph.NewTensor([]int64{1, 48}, make([]float32, 48)),
		"got float32 of dims [1 3 4 4 1], the model declares float32 of [-1 3 4 4]": onnxgraph.NewTensor([]int64{1, 3, 4, 4, 1}, make([]float32, 48)),
		"got int32 of dims [1 3 4 4], the model declares float32 of [-1 3 4 4]":     onnxgraph.NewTensor([]int64{1, 3, 4, 4}, make([]int32, 48)),
	} {
		if _, err := Run(context.Background(), path, other); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: want %q", err, want)
		}
	}
	if _, err := Run(context.Background(), path+"?", input); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	shape := testCase{dims: []int64{3, 4, 4}, rank: 1, output: func(n *net) *onnxgraph.Value {
		return n.Op("Cast", values{n.Op("Shape", values{n.x})}, onnxgraph.Int("to", 1))
	}}
	path, _, input = shape.build(t, 1)
	var unavailable *Unavailable
	_, err := Run(context.Background(), path, input)
	if !errors.As(err, &unavailable) || len(unavailable.Reasons) != 2 || !strings.Contains(err.Error(), "Shape: ") {
		t.Errorf("unknown operators: %v", err)
	}
	padded := testCase{dims: image, rank: 4, output: conv3(onnxgraph.Ints("pads", 1, 1, 0, 0))} // on which the engine is wrong
	path, _, input = padded.build(t, 1)
	if _, err := Run(context.Background(), path, input); !errors.As(err, &unavailable) || len(unavailable.Reasons) != 1 {
		t.Errorf("one operator that it gets wrong: %v", err)
	}
}

func TestBreakdownIsOneError(t *testing.T) {
	t.Parallel()
	// Left out inputs make the engine's process panic.
	c := testCase{dims: []int64{3, 4, 4}, rank: 4, output: func(n *net) *onnxgraph.Value {
		return n.Op("BatchNormalization", values{n.x, n.weights(3), n.weights(3)})
	}}
	path, m, input := c.build(t, 1)
	raw, _ := input.Raw()
	ask := protocol.Request{Model: path, Input: "x", Output: m.Graph.Outputs()[0].Name(), Dims: input.Dims()}
	var unavailable *Unavailable
	if _, err := callChild(context.Background(), built(t), ask, raw); !errors.As(err, &unavailable) {
		t.Errorf("bad arity: %v", err)
	}
	ask.Dims = []int64{1, 3, 4, 5}
	_, err := callChild(context.Background(), built(t), ask, raw)
	if !errors.As(err, &unavailable) || !strings.Contains(err.Error(), "broke down (exit status 2): panic: ") || strings.Contains(err.Error(), "goroutine") {
		t.Errorf("panic: %v", err)
	}
}

func TestCompare(t *testing.T) {
	t.Parallel()
	inf, nan := float32(math.Inf(1)), float32(math.NaN())
	for _, c := range []struct {
		got, want []float32
		d         Difference
	}{
		{[]float32{1, -4}, []float32{1, -4}, Difference{0, 0}},
		{[]float32{1, -3}, []float32{1, -4}, Difference{1, 0.25}},
		{[]float32{0, 0}, []float32{0, 0}, Difference{0, 0}},
		{[]float32{0, 2}, []float32{0, 0}, Difference{2, math.Inf(1)}},
		{[]float32{1, nan}, []float32{1, nan}, Difference{math.Inf(1), math.Inf(1)}},
		{[]float32{1, 1}, []float32{1, inf}, Difference{math.Inf(1), math.Inf(1)}},
	} {
		d, err := Compare(onnxgraph.NewTensor([]int64{2}, c.got), onnxgraph.NewTensor([]int64{2}, c.want))
		if err != nil || d != c.d {
			t.Errorf("%v, %v: got %v, %v", c.got, c.want, d, err)
		}
	}
	if _, err := Compare(onnxgraph.NewTensor([]int64{1, 2}, []float32{1, 2}), onnxgraph.NewTensor([]int64{2}, []float32{1, 2})); err == nil {
		t.Error("no error for different dims")
	}
	const complex64 = onnxgraph.DType(14)
	numbers, pairs := onnxgraph.NewTensor([]int64{1}, []float32{1}), onnxgraph.NewRawTensor(complex64, []int64{1}, make([]byte, 8))
	if _, err := Compare(pairs, numbers); err == nil || strings.Contains(err.Error(), "reference") {
		t.Errorf("a complex output: %v", err)
	}
	if _, err := Compare(numbers, pairs); err == nil || !strings.Contains(err.Error(), "reference") {
		t.Errorf("a complex reference: %v", err)
	}
}

func TestRealModels(t *testing.T) {
	t.Parallel()
	folder := peer.Models(t)
	for _, c := range []struct {
		file    string
		dims    []int64
		refused string // the operator that the engine lacks, "" if it has all
	}{
		{"mnist-cntk-ir3.onnx", []int64{1, 1, 28, 28}, ""},
		{"cifar10-resnet20-trained.onnx", []int64{1, 3, 32, 32}, "Shape: "},
	} {
		path := filepath.Join(folder, c.file)
		input := (&net{random: rand.New(rand.NewPCG(1, 2))}).normal(c.dims...)
		output, err := Run(context.Background(), path, input)
		if c.refused != "" {
			if err == nil || !strings.Contains(err.Error(), c.refused) {
				t.Errorf("%s: %v", c.file, err)
			}
			t.Log(err)
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		d, err := Compare(output, reference(t, path, input))
		if err != nil || d.MaxRel > tolerance {
			t.Errorf("%s: difference %v, %v", c.file, d, err)
		}
		t.Logf("%s: difference %v", c.file, d)
	}
}
