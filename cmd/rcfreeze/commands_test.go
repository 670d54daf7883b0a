package main

import (
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/secondopiniontest"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
)

func TestNewInspectConvert(t *testing.T) {
	workshop(t)
	made := succeedJSON[rcfreeze.Built](t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12", "--seed", "5")
	plan := succeedJSON[rcfreeze.Inspection](t, "inspect", "net.onnx", "-E", "3")
	if made.Parameters != plan.Parameters || plan.Parameters.Trainable == 0 || len(plan.Blocks) != 0 {
		t.Errorf("new made %+v, inspect found %+v and %d blocks", made.Parameters, plan.Parameters, len(plan.Blocks))
	}
	if want := []string{"batch", "1", "12", "12"}; len(plan.Inputs) != 1 || !slices.Equal(plan.Inputs[0].Shape, want) {
		t.Errorf("inputs %+v, want one of shape %v", plan.Inputs, want)
	}
	converted := succeedJSON[rcfreeze.Converted](t, "convert", "net.onnx", "-o", "blocks.onnx", "-E", "3")
	spatial := 0
	for i, c := range plan.Convolutions {
		if c.Status == transform.Converted {
			spatial++
		}
		if done := converted.Convolutions[i]; done.Node != c.Node || done.Status != c.Status || done.After.Bank != c.After.Bank {
			t.Errorf("inspect planned %+v, convert did %+v", c, done)
		}
	}
	if spatial != 7 || converted.Converted != spatial {
		t.Errorf("planned %d blocks, made %d, want 7: a stem and three stages of two", spatial, converted.Converted)
	}
	stem := plan.Convolutions[0]
	if want := int64(2 * 1 * 9 * 12 * 12); stem.Before.MACs != want {
		t.Errorf("the stem takes %d MACs, want %d", stem.Before.MACs, want)
	}
	after := succeedJSON[rcfreeze.Inspection](t, "inspect", "blocks.onnx")
	if after.Parameters != converted.After || after.Operators["Conv"] != plan.Operators["Conv"]+spatial || len(after.Blocks) != spatial {
		t.Errorf("convert reports %+v, inspect finds %+v", converted.After, after.Parameters)
	}
	for _, b := range after.Blocks {
		if b.Expansion != 3 || b.Bank != "kaiming-uniform" || b.BankHash == "" {
			t.Errorf("block %+v", b)
		}
	}
}

func TestConvertSelectsAndRedraws(t *testing.T) {
	workshop(t)
	r := succeedJSON[rcfreeze.Converted](t, "convert", "model.onnx", "-o", "one.onnx", "--skip", "conv1", "--bank", "orthogonal")
	if r.Converted != 1 {
		t.Errorf("converted %d, want the one that was not skipped", r.Converted)
	}
	succeed(t, "convert", "model.onnx", "-o", "kept.onnx")
	_, talk, code := call("convert", "model.onnx", "-o", "anew.onnx", "--reinit", "--external-data", "all")
	if code != exitDone {
		t.Fatal(talk)
	}
	for name, same := range map[string]bool{"conv1.bank": true, "conv1.pointwise": false} {
		if got := string(tensor(t, "kept.onnx", name)) == string(tensor(t, "anew.onnx", name)); got != same {
			t.Errorf("%s is the same with --reinit: %v, want %v", name, got, same)
		}
	}
	if data, err := filepath.Glob("anew.onnx.*.data"); err != nil || len(data) != 1 || !strings.Contains(talk, "in "+data[0]) {
		t.Errorf("data files: %v, %v; it says %s", data, err, talk)
	}
}

func TestExport(t *testing.T) {
	secondopiniontest.Use(t) // before the test leaves the source
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	succeed(t, "convert", "net.onnx", "-o", "blocks.onnx", "-E", "2")
	r := succeedJSON[rcfreeze.Exported](t, "export", "blocks.onnx", "-o", "deploy.onnx", "--source", "net.onnx", "--time", "--time-runs", "2", "--second-opinion")
	for _, o := range slices.Concat(r.Merged, r.Folded) {
		if o.Status == transform.Skipped {
			t.Errorf("%s was skipped: %s", o.Node, o.Reason)
		}
	}
	if len(r.Merged) != 7 || len(r.Folded) != 9 || len(r.Differences) != 1 || !(r.Differences[0].MaxRel < 1e-5) {
		t.Errorf("merged %d, folded %d, differences %+v", len(r.Merged), len(r.Folded), r.Differences)
	}
	if r.SecondOpinion == nil || !(r.SecondOpinion.MaxRel < 1e-5) {
		t.Errorf("second opinion %+v", r.SecondOpinion)
	}
	if len(r.Models) != 3 || r.Models[0].Operators["Conv"] != r.Models[2].Operators["Conv"] || r.Models[2].Operators["BatchNormalization"] != 0 || r.Models[2].Parameters.Bank != 0 {
		t.Errorf("models %+v", r.Models)
	}
	for _, m := range r.Models {
		if m.Latency == nil || m.Latency.Median <= 0 {
			t.Errorf("%s was not timed", m.Name)
		}
	}
	a := succeedJSON[rcfreeze.Evaluation](t, "eval", "blocks.onnx", "--data", "bands")
	b := succeedJSON[rcfreeze.Evaluation](t, "eval", "deploy.onnx", "--data", "bands")
	if math.Abs(a.Loss-b.Loss) > 1e-5 {
		t.Errorf("the loss is %v with blocks, %v exported", a.Loss, b.Loss)
	}
	kept := succeedJSON[rcfreeze.Exported](t, "export", "blocks.onnx", "-o", "kept.onnx", "--fold-batchnorm=false", "--no-verify")
	if kept.Differences != nil || kept.Models[1].Operators["BatchNormalization"] != 9 {
		t.Errorf("without folding and verifying: %+v", kept)
	}
}

// TestExportBatch exports for another batch size than the model's, and on from there.
func TestExportBatch(t *testing.T) {
	workshop(t)
	succeed(t, "new", "lenet", "-o", "net.onnx", "--classes", "3", "--input", "1x12x12")
	for _, batch := range []string{"4", "1", "dynamic"} {
		succeed(t, "export", "net.onnx", "-o", "net.onnx", "--batch", batch)
		want := strings.Replace(batch, "dynamic", "batch", 1)
		r := succeedJSON[rcfreeze.Inspection](t, "inspect", "net.onnx")
		if r.Inputs[0].Shape[0] != want || r.Outputs[0].Shape[0] != want {
			t.Errorf("--batch %s: inputs %+v, outputs %+v", batch, r.Inputs, r.Outputs)
		}
	}
}

func TestCompare(t *testing.T) {
	workshop(t)
	args := append([]string{"compare", "model.onnx", "-o", "report", "--variants", "baseline,frozen", "-E", "1,2", "--seeds", "3,4", "--epsilon", "1/255"}, quick...)
	r := succeedJSON[rcfreeze.Comparison](t, args...)
	if len(r.Runs) != 6 || len(r.Summary) != 3 {
		t.Fatalf("%d runs, %d summaries, want 6 and 3", len(r.Runs), len(r.Summary))
	}
	s := r.Summary[1]
	if mean := (r.Runs[2].Top1 + r.Runs[3].Top1) / 2; s.Variant != "frozen" || s.Expansion != 1 || s.Seeds != 2 || math.Abs(s.Top1-mean) > 1e-12 || s.Robust == nil {
		t.Errorf("summary %+v of runs %+v", s, r.Runs[2:4])
	}
	if lines := strings.Count(string(read(t, filepath.Join("report", "comparison.csv"))), "\n"); lines != 7 {
		t.Errorf("comparison.csv has %d lines, want a header and 6", lines)
	}
	page := string(read(t, r.Report))
	for _, want := range append([]string{"<code><span class=\"whole\">rcfreeze compare model.onnx</span> <span class=\"whole\">-o report</span>", "frozen -E 2", "top1-expansion", "robust-expansion"}, r.Runs[5].Folder) {
		if !strings.Contains(page, want) {
			t.Errorf("the report lacks %q", want)
		}
	}
	again := succeedJSON[rcfreeze.Comparison](t, args...)
	if again.Runs[5].Seconds != r.Runs[5].Seconds {
		t.Error("a finished run was trained again")
	}
}

// TestCompareFailedRuns compares with a learning rate at which every run diverges: the table says so, and the exit code is not 0.
func TestCompareFailedRuns(t *testing.T) {
	workshop(t)
	stdout, stderr, code := call(append(append([]string{"compare", "model.onnx", "-o", "report", "--variants", "baseline,frozen"}, quick...), "--lr", "1e9")...)
	for _, want := range []string{"baseline ", "frozen -E 1 ", "0 (1 failed)", "–", "report/comparison.csv", "report/report.html"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("stdout lacks %q:\n%s", want, stdout)
		}
	}
	for _, want := range []string{"run baseline-seed0 failed, and the others go on: ", "run frozen-x1-seed0 failed", "2 of 2 runs failed"} {
		if !strings.Contains(stderr, want) {
			t.Errorf("stderr lacks %q:\n%s", want, stderr)
		}
	}
	if code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
}

func TestDoctor(t *testing.T) {
	workshop(t)
	d := succeedJSON[doctorResult](t, "doctor")
	if d.Library == nil || d.Library.Path == "" || len(d.Providers) == 0 || len(d.Searched) == 0 {
		t.Errorf("diagnosis %+v", d)
	}
	stdout, stderr, code := call("doctor", "--ort-lib", "nowhere")
	if code != exitFailed || !strings.Contains(stdout, "none") || !strings.Contains(stderr, "nowhere") || !strings.Contains(stderr, ort.LibraryVariable) {
		t.Errorf("without a library: exit code %d:\n%s%s", code, stdout, stderr)
	}
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, stderr, _ := call("doctor", "--ort-lib", "empty"); strings.Contains(stderr, `\n`) || strings.Count(stderr, "\n") < 3 {
		t.Errorf("the folders that were searched do not stand in lines of their own:\n%s", stderr)
	}
}

// TestTables checks that people see the same facts as machines.
func TestTables(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx")
	for _, c := range []struct {
		args string
		want []string
	}{
		{"--version", []string{"rcfreeze version"}},
		{"--help", []string{"inspect", "convert", "train", "eval", "predict", "compare", "export", "new", "doctor"}},
		{"new --help", []string{"cifar-resnet", "lenet", "vgg"}},
		{"new lenet -o a.onnx", []string{"61,706 trainable parameters", "a.onnx"}},
		{"inspect blocks.onnx", []string{"ai.onnx", "[batch, 1, 12, 12]", "conv1/bank", "as recorded", "4 Conv"}},
		{"convert model.onnx -o b.onnx", []string{"conv1", "5×5", "1→3", "converted", "2 frozen blocks"}},
		{"train blocks.onnx -o c.onnx --data bands --epochs 1 -b 8", []string{"images", "21", "top-1", "c.run"}},
		{"eval model.onnx --data bands --split train --normalize none", []string{"images", "48"}},
		{"compare model.onnx -o d --data bands --epochs 1 -b 8 --seeds 1,2", []string{"baseline", "learned", "±", "comparison.csv"}},
		{"export blocks.onnx -o e.onnx --time --time-runs 1", []string{"merged", "output logits", "tolerance 0.0001", "median ms"}},
		{"doctor", []string{"library", "cpu", "yes", "second engine"}},
	} {
		stdout := succeed(t, strings.Fields(c.args)...)
		for _, text := range c.want {
			if !strings.Contains(stdout, text) {
				t.Errorf("rcfreeze %s does not print %q:\n%s", c.args, text, stdout)
			}
		}
	}
}

// TestJSONNames checks that what a flag sets has the flag's name in JSON.
func TestJSONNames(t *testing.T) {
	flags := newTrain(&printer{}).Flags()
	document, err := json.Marshal(train.Recipe{})
	if err != nil {
		t.Fatal(err)
	}
	var fields map[string]any
	if err := json.Unmarshal(document, &fields); err != nil {
		t.Fatal(err)
	}
	delete(fields, "trained") // follows from the variant
	for name := range fields {
		if flags.Lookup(strings.ReplaceAll(name, "_", "-")) == nil {
			t.Errorf("the recipe's field %q has not the name of a flag", name)
		}
	}
}
