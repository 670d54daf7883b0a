package main

import (
	"fmt"
	"io/fs"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/verify"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
	"github.com/rcfreeze/rcfreeze/transform/inference"
)

// refused says which models convert refuses, by the file's name, and what the error must tell. Every other model passes.
var refused = map[string]string{
	"mobilenetv2-convinteger-int8.onnx":        "quantized: rewrite the floating-point model that was quantized, and quantize the model that export writes",
	"weight_standardized_computed_weight.onnx": "from constants: export the model with constant folding",
}

// torchvisionModels is the variable that names other models for the test, with commas between them, or "all".
const torchvisionModels = "RCFREEZE_TORCHVISION"

// torchvision names the models that zoo.py exports for the test: one of every family but Wide ResNet, which is large, and has
// the convolutions of ResNet.
var torchvision = []string{"alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "googlenet", "inception_v3", "mnasnet0_5", "mobilenet_v2",
	"mobilenet_v3_small", "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5", "squeezenet1_1", "vgg11_bn"}

// TestModels takes every model at hand through inspect, convert and export: what is written runs on ONNX Runtime and
// computes what it should.
func TestModels(t *testing.T) {
	orttest.Init(t)
	folder := peer.Models(t)
	var paths []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".onnx" {
			paths = append(paths, path)
		}
		return err
	})
	if err != nil || len(paths) == 0 {
		t.Fatalf("no ONNX files in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { tryModel(t, path) })
	}
}

// TestNewModels does so with the architectures of our own, in small.
func TestNewModels(t *testing.T) {
	orttest.Init(t)
	folder := t.TempDir()
	for _, name := range architecture.Names() {
		path := filepath.Join(folder, name+".onnx")
		succeed(t, "new", name, "-o", path, "--width", "6")
		t.Run(name, func(t *testing.T) { tryModel(t, path) })
	}
}

// TestTorchvision does so with what torch's own exporter writes.
func TestTorchvision(t *testing.T) {
	orttest.Init(t)
	program, err := filepath.Abs("../../testdata/torch/zoo.py")
	if err != nil {
		t.Fatal(err)
	}
	python := peer.Python(t, "torchvision", "onnx")
	list := os.Getenv(torchvisionModels)
	if list == "" {
		list = strings.Join(torchvision, ",")
	}
	folder := t.TempDir()
	args := []string{program, folder, "--modes", "eval"}
	if list != "all" {
		args = append(args, "--models", list)
	}
	if out, err := exec.Command(python, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models in %s: %v", folder, err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { tryModel(t, path) })
	}
}

// tryModel takes one model through all commands.
func tryModel(t *testing.T, path string) {
	t.Chdir(t.TempDir())
	m := loadForInference(t, path)
	plan := succeedJSON[rcfreeze.Inspection](t, "inspect", path, "--layout", string(transform.Depthwise))
	checkRows(t, m, plan.Convolutions)
	checkFilters(t, path, plan.Convolutions)
	checkExport(t, m, path)
	if want, ok := refused[filepath.Base(path)]; ok {
		fails(t, "convert "+path+" -o out.onnx", filepath.Base(path), want)
		return
	}
	between := map[transform.Layout]transform.Between{transform.Dense: transform.None, transform.Depthwise: transform.BatchNorm}
	layouts := []transform.Layout{transform.Dense, transform.Depthwise}
	if info, err := os.Stat(path); err == nil && info.Size() > 30<<20 {
		layouts = layouts[1:] // dense banks that span large filters take minutes
	}
	for _, layout := range layouts {
		blocks := string(layout) + ".onnx"
		r := succeedJSON[rcfreeze.Converted](t, "convert", path, "-o", blocks, "--layout", string(layout), "--pointwise", "random", "--between", string(between[layout]))
		checkRows(t, m, r.Convolutions)
		checkExport(t, m, blocks)

		spanned := "spanned-" + blocks
		left := convertSpanning(t, path, spanned, layout, plan.Convolutions)
		worst := compareOutputs(t, m, loadForInference(t, spanned), usual(t, m))
		checkExport(t, m, spanned)
		t.Logf("%s, spanning: differs by %.2g, tolerance %g; %d of %d convolutions left out as too large", layout, worst, usual(t, m), left, r.Converted)
		checkInterface(t, path, spanned)
	}
}

// checkFilters has analyze measure all that convert takes, and say of the rest why not.
func checkFilters(t *testing.T, path string, convolutions []transform.Conversion) {
	t.Helper()
	a := succeedJSON[rcfreeze.Analysis](t, "analyze", path)
	if len(a.Layers)+len(a.LeftOut) != len(convolutions) {
		t.Errorf("analyze measured %d convolutions and left out %d, and there are %d", len(a.Layers), len(a.LeftOut), len(convolutions))
	}
	measured := map[string]bool{}
	for _, l := range a.Layers {
		measured[l.Name] = true
	}
	for _, c := range convolutions {
		if c.Status == transform.Converted && !measured[c.Node] {
			t.Errorf("convert takes %q, and analyze does not measure it", c.Node)
		}
	}
	for _, l := range a.LeftOut {
		if l.Reason == "" {
			t.Errorf("analyze leaves out %q without a reason", l.Name)
		}
	}
}

func loadForInference(t *testing.T, path string) *onnxgraph.Model {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inference.Switch(m); err != nil {
		t.Fatal(err)
	}
	return m
}

func usual(t *testing.T, m *onnxgraph.Model) float64 {
	t.Helper()
	tolerance, err := rcfreeze.UsualTolerance(m)
	if err != nil {
		t.Fatal(err)
	}
	return tolerance
}

// checkRows makes sure that each node that convolves has a row, and that each row that was skipped has a reason.
func checkRows(t *testing.T, m *onnxgraph.Model, rows []transform.Conversion) {
	t.Helper()
	convolutions := 0
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			if strings.Contains(n.OpType(), "Conv") {
				convolutions++
			}
		}
	}
	if len(rows) != convolutions {
		t.Errorf("%d rows for %d convolutions", len(rows), convolutions)
	}
	for _, row := range rows {
		if row.Node == "" || row.Status != transform.Converted && (row.Status != transform.Skipped || row.Reason == "") {
			t.Errorf("row %+v", row)
		}
	}
}

// checkExport exports a model that was made of the source, which the command verifies.
func checkExport(t *testing.T, source *onnxgraph.Model, path string) {
	t.Helper()
	r := succeedJSON[rcfreeze.Exported](t, "export", path, "-o", "exported.onnx", "--verify-batch", "2")
	for _, row := range r.Merged {
		if row.Status != transform.Merged {
			t.Errorf("%s: %+v", path, row)
		}
	}
	exported := loadForInference(t, "exported.onnx")
	if left, err := transform.Blocks(exported); err != nil || len(left) > 0 {
		t.Errorf("%s: %d blocks are left, %v", path, len(left), err)
	}
	checkInterface(t, path, "exported.onnx")
	checkNodes(t, source, exported)
}

// operators counts the nodes of a model by operator.
func operators(m *onnxgraph.Model) map[string]int {
	counts := map[string]int{}
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			counts[n.Domain()+"."+n.OpType()]++
		}
	}
	return counts
}

// checkNodes makes sure that what was exported has no node more than the source, of any operator.
func checkNodes(t *testing.T, source, exported *onnxgraph.Model) {
	t.Helper()
	had := operators(source)
	for operator, count := range operators(exported) {
		if count > had[operator] {
			t.Errorf("what was exported has %d %s nodes, %s has %d", count, operator, source.Path(), had[operator])
		}
	}
}

// compareOutputs returns the largest difference of two models' outputs.
func compareOutputs(t *testing.T, want, got *onnxgraph.Model, tolerance float64) float64 {
	t.Helper()
	report, err := verify.Outputs(t.Context(), want, got, verify.Options{Batch: 2, Seed: 3})
	if err != nil {
		t.Fatal(err)
	}
	worst := 0.0
	for _, d := range report.Differences {
		if worst = max(worst, d.MaxRel); !(d.MaxRel <= tolerance) {
			t.Errorf("%s: output %q differs by %.2g, relative", got.Path(), d.Output, d.MaxRel)
		}
	}
	return worst
}

// mostTaps bounds, for dense banks, the weights of a filter in the test: a bank that spans them has as many filters.
const mostTaps = 600

// convertSpanning converts with banks that span every filter: with as many filters as these have weights, and a few more,
// lest the weights of the 1×1 convolution should grow large. It returns how many convolutions it left out.
func convertSpanning(t *testing.T, path, output string, layout transform.Layout, rows []transform.Conversion) (left int) {
	t.Helper()
	names := map[int][]string{} // by expansion
	for _, c := range rows {
		if c.Status != transform.Converted {
			continue
		}
		taps := 1
		for _, k := range c.Kernel {
			taps *= k
		}
		expansion := taps + 4
		if layout == transform.Dense {
			taps *= c.In / c.Groups
			if taps > mostTaps {
				left++
				continue
			}
			expansion = int(math.Ceil(float64(taps+4) / float64(c.Out/c.Groups)))
		}
		names[expansion] = append(names[expansion], c.Node)
	}
	for expansion, list := range names {
		args := []string{"convert", path, "-o", output, "--layout", string(layout), "-E", fmt.Sprint(expansion)}
		for _, name := range list {
			args = append(args, "--include", escape(name))
		}
		r := succeedJSON[rcfreeze.Converted](t, args...)
		for _, c := range r.Convolutions {
			if c.Status == transform.Converted && !(*c.Error < 1e-2) {
				t.Errorf("%s: relative error %g with %d filters", c.Node, *c.Error, expansion)
			}
		}
		path = output
	}
	return left
}

// escape makes a name a pattern that matches it alone.
func escape(name string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(name)
}

// checkInterface makes sure that a command kept all that users of the file rely on.
func checkInterface(t *testing.T, path, written string) {
	t.Helper()
	want, got := interfaceOf(t, path), interfaceOf(t, written)
	if !slices.Equal(want, got) {
		t.Errorf("%s has not the interface of %s:\n%s\n%s", written, path, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// interfaceOf lists versions, metadata, and the inputs and outputs in order with their types, symbols included.
func interfaceOf(t *testing.T, path string) []string {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	list := []string{fmt.Sprint("IR ", m.IRVersion()), fmt.Sprint("operators ", m.Opset("")), m.Graph.Name()}
	for _, key := range m.MetadataKeys() {
		if !strings.HasPrefix(key, "rcfreeze.") {
			list = append(list, key+" = "+m.Metadata(key))
		}
	}
	for _, v := range slices.DeleteFunc(m.Graph.Inputs(), func(v *onnxgraph.Value) bool { return v.Constant() != nil }) {
		shape, _ := v.Shape()
		list = append(list, fmt.Sprint("input ", v.Name(), v.DType(), shape))
	}
	for _, v := range m.Graph.Outputs() {
		shape, _ := v.Shape()
		list = append(list, fmt.Sprint("output ", v.Name(), v.DType(), shape))
	}
	return list
}
