package main

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
)

// TestEvalTellsMemory looks at what eval says of memory, and that it keeps a batch size that is given.
func TestEvalTellsMemory(t *testing.T) {
	workshop(t)
	for args, images := range map[string]int{" -v": 128, " -v -b 0": 128, " -v -b 3": 3} {
		stdout, stderr, code := call(strings.Fields("eval model.onnx --data bands --normalize none" + args)...)
		if code != exitDone || !strings.Contains(stderr, fmt.Sprintf("memory for %d images at a time: about ", images)) || strings.Contains(stdout, "memory") {
			t.Errorf("eval%s: exit code %d:\n%s%s", args, code, stdout, stderr)
		}
	}
}

// TestPerClass counts by hand what eval --per-class tells: all of the matrix for a few classes, what is worst for many.
func TestPerClass(t *testing.T) {
	workshop(t)
	trained := succeedJSON[rcfreeze.Trained](t, trainArgs("model.onnx", "tuned.onnx", "--epochs", "2")...)
	got := succeedJSON[rcfreeze.Evaluation](t, "eval", "tuned.onnx", "--data", "bands", "--per-class")
	images, correct, mistakes := 0, 0, map[string]int{}
	for _, c := range got.PerClass {
		images += c.Images
		correct += c.Correct
		if c.Images != testCount/classCount || c.Top1 != float64(c.Correct)/float64(c.Images) {
			t.Errorf("class %+v, want of %d images", c, testCount/classCount)
		}
		mistakes[c.Class] = c.Images - c.Correct
	}
	for _, m := range got.Mistakes {
		if m.Class == m.Predicted {
			t.Errorf("%+v is no mistake", m)
		}
		mistakes[m.Class] -= m.Images
	}
	for class, n := range mistakes {
		if n != 0 {
			t.Errorf("%d images of class %s are neither correct nor a mistake", n, class)
		}
	}
	if len(got.PerClass) != classCount || images != testCount || float64(correct)/testCount != trained.Result.Top1 {
		t.Errorf("%d of %d images of %d classes are correct, want %g of %d of %d", correct, images, len(got.PerClass), trained.Result.Top1, testCount, classCount)
	}
	if plain := succeed(t, "eval", "tuned.onnx", "--data", "bands", "--json"); strings.Contains(plain, "per_class") {
		t.Errorf("without --per-class there are classes:\n%s", plain)
	}
	if out := succeed(t, "eval", "tuned.onnx", "--data", "bands", "--per-class"); !strings.Contains(out, "0 0") || !strings.Contains(out, "2 2") {
		t.Errorf("no matrix:\n%s", out)
	}
	writeBands(t, "many", 40)
	succeed(t, "new", "lenet", "-o", "many.onnx", "--input", "1x12x12", "--classes", "40", "--width", "3")
	stdout, stderr, _ := call("eval", "many.onnx", "--data", "many", "--per-class", "--split", "train", "--normalize", "none")
	if !strings.Contains(stdout, "taken for") || !strings.Contains(stderr, "and 20 more classes, which --json lists") {
		t.Errorf("of many classes it prints:\n%s%s", stdout, stderr)
	}
}
