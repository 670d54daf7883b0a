package train_test

import (
	"fmt"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/lowering"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// zooTable names a file that gets the table of all models in all modes; without it, one of every family is tried.
const zooTable = "RCFREEZE_GRADIENTS"

// oneOfEach has every operator of the models, and every form of BatchNormalization, in the least time.
var oneOfEach = []zooCase{
	{"alexnet", "folded", 0}, {"vgg11_bn", "train", 0}, {"resnet18", "train", 0}, {"squeezenet1_1", "eval", 0},
	{"densenet121", "eval", 0}, {"googlenet", "eval", 0}, {"mobilenet_v2", "folded", 0}, {"mobilenet_v3_small", "train", 0},
	{"shufflenet_v2_x0_5", "train", 0}, {"efficientnet_b0", "eval", 0}, {"regnet_y_400mf", "folded", 0}, {"convnext_tiny", "eval", 0},
	{"squeezenet1_1", "eval", 1}, {"resnet18", "train", 2},
}

// allOfZoo returns groups of cases that are tried together: each of zoo.py's models in all modes, some as blocks.
func allOfZoo() [][]zooCase {
	blocks := map[string]int{"vgg11_bn": 1, "resnet18": 2, "googlenet": 1, "mobilenet_v2": 1, "mobilenet_v3_small": 2, "shufflenet_v2_x0_5": 2, "squeezenet1_1": 1}
	var groups [][]zooCase
	for _, name := range []string{"alexnet", "squeezenet1_1", "shufflenet_v2_x0_5", "mobilenet_v3_small", "resnet18", "vgg11", "vgg11_bn", "mnasnet0_5",
		"mobilenet_v2", "googlenet", "regnet_y_400mf", "regnet_x_400mf", "efficientnet_b0", "densenet121", "resnet50", "resnext50_32x4d",
		"convnext_tiny", "inception_v3", "wide_resnet50_2"} {
		var group []zooCase
		for _, mode := range []string{"eval", "folded", "train"} {
			group = append(group, zooCase{name, mode, 0})
			if e := blocks[name]; e > 0 {
				group = append(group, zooCase{name, mode, e})
			}
		}
		groups = append(groups, group)
	}
	return groups
}

// TestGradients compares the gradients of a training step of torchvision's models with PyTorch's in float64: they must
// be as good as those that PyTorch gives in float32.
//
// Rounding can put a number on the other side of a kink, such as that of a ReLU, which changes a gradient by far more
// than rounding. It is chance which side that happens to: so a case that fails is tried with further batches.
func TestGradients(t *testing.T) {
	python := peer.Python(t, "torch", "onnx", "torchvision")
	orttest.Init(t)
	path := os.Getenv(zooTable)
	groups := [][]zooCase{oneOfEach}
	if path != "" {
		groups = allOfZoo()
		record(t, path, "| model | mode | blocks | overall | PyTorch float32 | ratio | worst parameter | PyTorch float32 | batches |\n"+
			"| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |\n")
	}
	for _, group := range groups {
		folder := t.TempDir()
		exportZoo(t, python, folder, group)
		var jobs []zooJob
		for _, c := range group {
			jobs = append(jobs, c.prepare(t, folder, 1))
		}
		judged := judge(t, python, folder, jobs)
		for i, c := range group {
			job, judgment := jobs[i], judged[i]
			t.Run(c.String(), func(t *testing.T) {
				e := job.compare(t, judgment)
				batches := 1
				for ; !e.isSmall() && batches < 5; batches++ {
					t.Logf("another batch, since %v", e)
					job = c.prepare(t, folder, uint64(batches)+1)
					e = job.compare(t, judge(t, python, folder, []zooJob{job})[0])
				}
				t.Log(e)
				if !e.isSmall() {
					t.Error("the gradients differ from PyTorch's")
				}
				if path != "" {
					record(t, path, fmt.Sprintf("| %s | %s | %d | %.2g | %.2g | %.2f | %.2g | %.2g | %d |\n",
						c.name, c.mode, c.expansion, e.ours, e.torch, e.ours/e.torch, e.worstOurs, e.worstTorch, batches))
				}
			})
		}
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
	}
}

func record(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// gradientErrors are distances from the float64 gradient, relative to its size.
type gradientErrors struct {
	ours, torch           float64 // over all parameters
	worst                 string  // the parameter in which we are worst, compared with PyTorch
	worstOurs, worstTorch float64
	excess                float64 // ours in that parameter, as a multiple of what is allowed
}

func (e gradientErrors) String() string {
	return fmt.Sprintf("over all parameters the error is %.2g, PyTorch's in float32 %.2g; of %s it is %.2g, PyTorch's %.2g", e.ours, e.torch, e.worst, e.worstOurs, e.worstTorch)
}

// What float32 can do at best, of the whole gradient and of that of one parameter.
const (
	finest          = 1.0 / (1 << 22)
	finestParameter = 1.0 / (1 << 20)
)

// isSmall allows 3 times PyTorch's error over all parameters, and 10 times for a single one, which has more scatter.
func (e gradientErrors) isSmall() bool { return e.ours <= 3*max(e.torch, finest) && e.excess <= 1 }

// compare makes a training step, and compares its gradients with those that PyTorch has computed.
func (j zooJob) compare(t *testing.T, judged judgment) gradientErrors {
	t.Helper()
	ours, loss := j.gradients(t)
	if want := judged.Losses["float64"]; !(math.Abs(loss-want) <= 1e-3*math.Abs(want)) {
		t.Errorf("the loss is %g, PyTorch's %g", loss, want)
	}
	trained := slices.Sorted(slices.Values(j.Trained))
	if !strings.Contains(j.Model, "blocks") && !slices.Equal(trained, judged.Parameters) {
		t.Errorf("these train\n%v, PyTorch's program trains\n%v", trained, judged.Parameters)
	}
	exact, torch := readNPZ[float64](t, j.Out+".float64.npz"), readNPZ[float32](t, j.Out+".float32.npz")
	if len(exact) != len(ours) || len(ours) == 0 {
		t.Fatalf("%d gradients, PyTorch has %d", len(ours), len(exact))
	}
	var e gradientErrors
	size := 0.0
	for _, g := range exact {
		size = math.Hypot(size, distance(nil, g))
	}
	for name, g := range exact {
		if len(ours[name]) != len(g) || len(torch[name]) != len(g) {
			t.Fatalf("%s has %d numbers, PyTorch has %d", name, len(ours[name]), len(g))
		}
		mine, theirs, own := distance(ours[name], g), distance(torch[name], g), distance(nil, g)
		e.ours, e.torch = math.Hypot(e.ours, mine/size), math.Hypot(e.torch, theirs/size)
		// the gradient of a bias before BatchNormalization is 0 but for rounding: the last term is for it
		allowed := max(10*theirs, 10*finestParameter*own, finest*size)
		if x := mine / allowed; !(x <= e.excess) {
			e.excess, e.worst, e.worstOurs, e.worstTorch = x, name, mine/own, theirs/own
		}
	}
	return e
}

// gradients makes one training step, and returns the gradients by name and the loss. After the first step, momentum is
// the gradient.
func (j zooJob) gradients(t *testing.T) (map[string][]float32, float64) {
	t.Helper()
	step, err := train.Step(j.model, j.images.Dims(), trainstep.Options{
		Trained: j.Trained, Optimizer: trainstep.SGD{Momentum: 0.9}, FreezeStatistics: j.Statistics == "running", BlockForm: j.form,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lowering.Lower(step.Model, step.Convolutions, ort.Options{IntraOpThreads: 1}); err != nil {
		t.Fatal(err)
	}
	data, err := step.Model.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.OpenBytes(data, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer session.Close()
	feeds := map[string]*onnxgraph.Tensor{
		step.Image: j.images, trainstep.LabelsInput: j.labels,
		trainstep.LearningRateInput: onnxgraph.NewTensor([]int64{1}, []float32{0.01}),
	}
	momentum := ""
	for _, slot := range step.State {
		feeds[slot.Input] = slot.Initial
		if strings.HasSuffix(slot.Input, "momentum") {
			momentum = slot.Output
		}
	}
	results, err := session.Run(feeds, momentum, trainstep.LossOutput)
	if err != nil {
		t.Fatal(err)
	}
	vector, err := results[momentum].Float32s()
	if err != nil {
		t.Fatal(err)
	}
	all, err := step.Trained(vector)
	if err != nil {
		t.Fatal(err)
	}
	loss, err := results[trainstep.LossOutput].Float64s()
	if err != nil {
		t.Fatal(err)
	}
	gradients := map[string][]float32{}
	for _, s := range step.Parameters {
		gradients[s.Name] = all[s.Offset : s.Offset+s.Len()]
	}
	return gradients, loss[0]
}
