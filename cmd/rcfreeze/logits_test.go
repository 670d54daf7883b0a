package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/compare"
)

// linearModel is a model in the making whose outputs are products of the pixels with weights.
type linearModel struct {
	*onnxgraph.Model
	t      *testing.T
	pixels *onnxgraph.Value
	rng    *rand.Rand
}

func newLinear(t *testing.T) *linearModel {
	t.Helper()
	m := onnxgraph.New("linear", 8, 18)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(1, side, side)...))
	if err != nil {
		t.Fatal(err)
	}
	flat := m.Graph.AddNode("Flatten", []*onnxgraph.Value{x})
	return &linearModel{m, t, flat.Output(0), rand.New(rand.NewPCG(3, 4))}
}

// product adds the product with new weights, and returns both.
func (m *linearModel) product(name string, columns int64) (product *onnxgraph.Value, weights []float32) {
	weights = make([]float32, side*side*columns)
	for i := range weights {
		weights[i] = float32(m.rng.NormFloat64() / 10)
	}
	w := m.Graph.AddConstant(name+".weight", onnxgraph.NewTensor([]int64{side * side, columns}, weights))
	return m.Graph.AddNode("MatMul", []*onnxgraph.Value{m.pixels, w}).Output(0), weights
}

// output makes a value an output, declared as [N, …]; a size of -1 is left open.
func (m *linearModel) output(v *onnxgraph.Value, name string, sizes ...int64) {
	m.t.Helper()
	if !m.Graph.Rename(v, name) {
		m.t.Fatalf("the name %s is taken", name)
	}
	dims := []onnxgraph.Dim{{Size: -1, Param: "N"}}
	for _, n := range sizes {
		dims = append(dims, onnxgraph.Dim{Size: n})
	}
	m.Graph.AddOutput(v, onnxgraph.Float32, dims)
}

func (m *linearModel) save(path string) {
	m.t.Helper()
	if err := m.Save(path, onnxgraph.ExternalAsRead); err != nil {
		m.t.Fatal(err)
	}
}

// TestSeveralOutputs has models that give features before logits, and says which output every command takes.
func TestSeveralOutputs(t *testing.T) {
	workshop(t)
	for _, c := range []struct {
		file     string
		declared bool
	}{{"declared.onnx", true}, {"open.onnx", false}} {
		m, alone := newLinear(t), newLinear(t)
		features, _ := m.product("features", 8)
		logits, _ := m.product("logits", classCount)
		softmax := m.Graph.AddNode("Softmax", []*onnxgraph.Value{logits}).Output(0)
		size := func(n int64) int64 {
			if c.declared {
				return n
			}
			return -1
		}
		m.output(features, "features", size(8))
		m.output(logits, "logits", size(classCount))
		m.output(softmax, "probabilities", size(classCount))
		m.save(c.file)
		alone.product("features", 8)
		logits, _ = alone.product("logits", classCount)
		alone.output(logits, "logits", classCount)
		alone.save("alone.onnx")

		want := succeedJSON[rcfreeze.Evaluation](t, "eval", "alone.onnx", "--data", "bands", "--normalize", "none")
		for _, args := range [][]string{nil, {"--logits", "logits"}, {"--logits", "probabilities"}} {
			args = append([]string{"eval", c.file, "--data", "bands", "--normalize", "none"}, args...)
			if got := succeedJSON[rcfreeze.Evaluation](t, args...); !reflect.DeepEqual(got.Result, want.Result) {
				t.Errorf("%v: measured %+v, want %+v", args, got.Result, want.Result)
			}
			if _, stderr, _ := call(args...); (len(args) == 6) != strings.Contains(stderr, `taking "logits", the only one that fits the 3 classes of bands`) {
				t.Errorf("%v says:\n%s", args, stderr)
			}
		}
		for _, test := range []struct{ args, want string }{
			{"eval FILE --data bands --logits scores", `no output "scores"; the outputs are`},
			{"train FILE -o x.onnx --data bands --num-classes 5", "name the one with the logits (--logits NAME)"},
		} {
			_, stderr, code := call(strings.Fields(strings.ReplaceAll(test.args, "FILE", c.file))...)
			if code != exitFailed || !strings.Contains(stderr, test.want) {
				t.Errorf("%s: exit code %d:\n%s", test.args, code, stderr)
			}
		}
		trained := succeedJSON[rcfreeze.Trained](t, trainArgs(c.file, "out-"+c.file, "--normalize", "none")...)
		again := succeedJSON[rcfreeze.Evaluation](t, "eval", "out-"+c.file, "--data", "bands", "-b", "8")
		if !reflect.DeepEqual(again.Result, trained.Result) || trained.Result.Top1 <= want.Top1 {
			t.Errorf("%s: training measures %+v, eval %+v, before it was %+v", c.file, trained.Result, again.Result, want.Result)
		}
		if _, stderr, _ := call("eval", "out-"+c.file, "--data", "bands"); strings.Contains(stderr, "outputs") {
			t.Errorf("the trained model does not record its logits: eval says\n%s", stderr)
		}
	}
	two := newLinear(t)
	for _, name := range []string{"main", "aside"} {
		v, _ := two.product(name, classCount)
		two.output(v, name, classCount)
	}
	two.save("two.onnx")
	for _, command := range []string{"eval two.onnx --data bands", "train two.onnx -o x.onnx --data bands", "compare two.onnx -o x --data bands --variants baseline"} {
		_, stderr, code := call(strings.Fields(command)...)
		for _, want := range []string{"2 of them fit the 3 classes of bands", "--logits NAME", "\n  main: float32 [N, 3]\n  aside: float32 [N, 3]"} {
			if code != exitFailed || !strings.Contains(stderr, want) {
				t.Errorf("%s: exit code %d, want %q in:\n%s", command, code, want, stderr)
			}
		}
	}
	rows := succeedJSON[rcfreeze.Comparison](t, "compare", "two.onnx", "-o", "compared", "--data", "bands", "--variants", "baseline", "--logits", "aside",
		"--epochs", "1", "-b", "8", "--normalize", "none").Runs
	if len(rows) != 1 || rows[0].Samples != testCount {
		t.Errorf("compared %+v", rows)
	}
}

// TestBinaryModels measures and trains models with a single number per image.
func TestBinaryModels(t *testing.T) {
	workshop(t)
	writeBands(t, "two", 2)
	for _, form := range []string{"Identity", "Sigmoid"} {
		for _, sizes := range [][]int64{{1}, {}} {
			m := newLinear(t)
			z, w := m.product("logit", 1)
			v := m.Graph.AddNode(form, []*onnxgraph.Value{z}).Output(0)
			if len(sizes) == 0 {
				v = m.Graph.AddNode("Squeeze", []*onnxgraph.Value{v, m.Graph.AddConstant("axes", onnxgraph.NewTensor([]int64{1}, []int64{1}))}).Output(0)
			}
			m.output(v, "y", sizes...)
			m.save("binary.onnx")
			loss, right := 0.0, 0
			for i := range testCount {
				z := 0.0
				for k, v := range w {
					z += float64(v) * float64(pixel(i, k%side, k/side)) / 255
				}
				if i%2 == 0 {
					z = -z
				}
				loss += math.Log1p(math.Exp(-z)) / testCount
				if z > 0 {
					right++
				}
			}
			got := succeedJSON[rcfreeze.Evaluation](t, "eval", "binary.onnx", "--data", "two", "--normalize", "none", "--epsilon", "8/255")
			if math.Abs(got.Loss-loss) > 1e-5 || math.Abs(got.Top1-float64(right)/testCount) > 1e-9 || got.RobustTop1 == nil || !(*got.RobustTop1 < got.Top1) {
				t.Errorf("%s, %v: measured %+v, want loss %g and %d right, fewer under attack", form, sizes, got.Result, loss, right)
			}
			stdout, stderr, _ := call("eval", "binary.onnx", "--data", "two", "--normalize", "none")
			if strings.Contains(stdout, "top-5") || !strings.Contains(stderr, "probability is above 0.5") {
				t.Errorf("%s, %v: eval prints\n%s%s", form, sizes, stdout, stderr)
			}
			for _, more := range [][]string{nil, {"--num-classes", "2"}} {
				args := append([]string{"train", "binary.onnx", "-o", "out.onnx", "--data", "two", "--epochs", "10", "-b", "8", "--lr", "0.5", "--label-smoothing", "0", "--normalize", "none",
					"--run-dir", fmt.Sprint(form, len(sizes), len(more))}, more...)
				trained := succeedJSON[rcfreeze.Trained](t, args...)
				if first, last := trained.History[0], trained.History[9]; !(last.TrainLoss < 0.9*first.TrainLoss) {
					t.Errorf("%s, %v: the loss goes from %g to %g", form, sizes, first.TrainLoss, last.TrainLoss)
				}
				out, err := onnxgraph.Load("out.onnx")
				if err != nil {
					t.Fatal(err)
				}
				if dims, _ := out.Graph.Outputs()[0].Shape(); len(dims) != 1+len(sizes) || len(dims) == 2 && dims[1].Size != 1 {
					t.Errorf("%s, %v: the trained output has dims %v", form, sizes, dims)
				}
				if again := succeedJSON[rcfreeze.Evaluation](t, "eval", "out.onnx", "--data", "two", "-b", "8"); !reflect.DeepEqual(again.Result, trained.Result) {
					t.Errorf("%s, %v: training measures %+v, eval %+v", form, sizes, trained.Result, again.Result)
				}
			}
		}
	}
	rows := succeedJSON[rcfreeze.Comparison](t, "compare", "binary.onnx", "-o", "compared", "--data", "two", "--variants", "baseline", "--epochs", "1", "-b", "8").Runs
	if len(rows) != 1 || rows[0] == (compare.Row{}) {
		t.Errorf("compared %+v", rows)
	}
}
