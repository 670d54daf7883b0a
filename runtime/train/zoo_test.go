package train_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// zooCase is a model of torchvision in one of the modes that zoo.py exports.
type zooCase struct {
	name, mode string
	expansion  int // of the frozen blocks in the place of its convolutions, 0 for none
}

func (c zooCase) String() string {
	if c.expansion > 0 {
		return fmt.Sprintf("%s.%s.blocks%d", c.name, c.mode, c.expansion)
	}
	return c.name + "." + c.mode
}

// statistics says by which statistics BatchNormalization normalizes: those of the batch in training mode.
func (c zooCase) statistics() string {
	if c.mode == "train" {
		return "batch"
	}
	return "running"
}

const (
	zooBatch = 4
	// zooSide is the least size of images in training mode. Smaller ones leave BatchNormalization so few numbers
	// per channel that rounding is blown up to per cents.
	zooSide = 64
)

// zooJob is a prepared case, as gradients.py reads it, and what it was made from.
type zooJob struct {
	Model      string   `json:"model"`
	Batch      string   `json:"batch"`
	Trained    []string `json:"trained"`
	Statistics string   `json:"statistics"`
	Out        string   `json:"out"`

	model          *onnxgraph.Model
	images, labels *onnxgraph.Tensor
	form           trainstep.BlockForm
}

// exportZoo writes the exports of the cases to a folder.
func exportZoo(t *testing.T, python, folder string, cases []zooCase) {
	t.Helper()
	models := map[string][]string{} // by mode
	for _, c := range cases {
		if !slices.Contains(models[c.mode], c.name) {
			models[c.mode] = append(models[c.mode], c.name)
		}
	}
	for mode, names := range models {
		runPython(t, python, "../../testdata/torch/zoo.py", folder, "--models", strings.Join(names, ","), "--modes", mode)
	}
}

// prepare writes what both sides are to differentiate, with a batch of noise that the seed decides. Dropout, of which
// the two sides would draw different masks, is taken out.
func (c zooCase) prepare(t *testing.T, folder string, seed uint64) zooJob {
	t.Helper()
	m, err := onnxgraph.Load(filepath.Join(folder, c.name+"."+c.mode+".onnx"))
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Is("Dropout") {
			onnxgraph.ReplaceUses(n.Output(0), n.Input(0))
			m.Graph.Remove(n)
		}
	}
	parameter.Separate(m)
	variant := parameter.Baseline
	if c.expansion > 0 {
		variant = parameter.Frozen
		if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Expansion: c.expansion}); err != nil {
			t.Fatal(err)
		}
	}
	base := filepath.Join(folder, c.String()+".prepared")
	job := zooJob{Model: base + ".onnx", Batch: base + ".npz", Statistics: c.statistics(), Out: base, model: m}
	if job.Trained, err = variant.Trained(m); err != nil {
		t.Fatal(err)
	}
	job.drawBatch(t, seed)
	if err := m.Save(job.Model, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	return job
}

// drawBatch makes the model take a batch of images, and draws one.
func (j *zooJob) drawBatch(t *testing.T, seed uint64) {
	t.Helper()
	image := j.model.Graph.Inputs()[0]
	declared, ok := image.Shape()
	if !ok || len(declared) != 4 {
		t.Fatalf("%s takes no images", j.Model)
	}
	side := declared[2].Size
	if j.Statistics == "batch" {
		side = max(side, zooSide)
	}
	j.drawBatchOf(t, seed, zooBatch, 3, side, side)
}

// drawBatchOf makes the model take a batch of images of a shape, and draws one, with 10 classes.
func (j *zooJob) drawBatchOf(t *testing.T, seed uint64, shape ...int64) {
	t.Helper()
	j.model.Graph.Inputs()[0].SetType(onnxgraph.Float32, onnxgraph.Static(shape...))
	rng := rand.New(rand.NewPCG(seed, 1))
	images, labels := make([]float32, shape[0]*shape[1]*shape[2]*shape[3]), make([]int64, shape[0])
	for i := range images {
		images[i] = float32(rng.NormFloat64())
	}
	for i := range labels {
		labels[i] = rng.Int64N(10)
	}
	j.images, j.labels = onnxgraph.NewTensor(shape, images), onnxgraph.NewTensor(shape[:1], labels)
	writeNPZ(t, j.Batch, map[string]*onnxgraph.Tensor{"images": j.images, "labels": j.labels})
}

// judgment is what PyTorch says of a job, besides its gradients.
type judgment struct {
	Losses     map[string]float64 // by element type
	Parameters []string           // what it would train
}

// judge has PyTorch compute the gradients of jobs.
func judge(t *testing.T, python, folder string, jobs []zooJob) []judgment {
	t.Helper()
	data, err := json.Marshal(jobs)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, "jobs.json")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var all []judgment
	lines := bufio.NewScanner(bytes.NewReader(runPython(t, python, "../../testdata/torch/gradients.py", path)))
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var j judgment
		if err := json.Unmarshal(lines.Bytes(), &j); err != nil {
			t.Fatal(err)
		}
		all = append(all, j)
	}
	if len(all) != len(jobs) {
		t.Fatalf("%d jobs, %d results", len(jobs), len(all))
	}
	return all
}

func runPython(t *testing.T, python string, args ...string) []byte {
	t.Helper()
	var stderr bytes.Buffer
	command := exec.Command(python, args...)
	command.Stderr = &stderr
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%s: %v: %s", args[0], err, stderr.Bytes())
	}
	return out
}
