package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// writeBandFolder writes count images with the band of the given class, from the top, into a folder.
func writeBandFolder(t *testing.T, folder string, class, count int) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for n := range count {
		img := image.NewGray(image.Rect(0, 0, side, side))
		for i := range img.Pix {
			img.Pix[i] = pixel(class+n*classCount, i%side, i/side)
		}
		var data bytes.Buffer
		if err := png.Encode(&data, img); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, fmt.Sprintf("%d.png", n)), data.Bytes())
	}
}

// bandNames are the classes of bands by name, from the top; they sort as high, low, mid.
var bandNames = []string{"high", "mid", "low"}

// writeBandFolders writes an image folder of bands. Those of val are in the folders of other classes, so that a model
// that knows the bands is wrong on each.
func writeBandFolders(t *testing.T, root string) {
	t.Helper()
	for class, name := range bandNames {
		writeBandFolder(t, filepath.Join(root, "Train", name), class, 16)
		writeBandFolder(t, filepath.Join(root, "VALID", name), (class+1)%classCount, 4)
		writeBandFolder(t, filepath.Join(root, "Testing", name), class, 7)
	}
}

// TestSplitsOfTraining trains on an image folder with three splits, and looks at which of them measures what.
func TestSplitsOfTraining(t *testing.T) {
	workshop(t)
	writeBandFolders(t, "images")
	r := succeedJSON[rcfreeze.Trained](t, trainArgs("model.onnx", "tuned.onnx", "--data", "images", "--keep", "best", "--epochs", "8", "--lr", "0.1")...)
	if want := (rcfreeze.MeasuredOn{Data: "images", Split: dataset.Test, Images: 21, Classes: 3, ModelClasses: 3}); r.MeasuredOn != want {
		t.Errorf("measured on %+v, want %+v", r.MeasuredOn, want)
	}
	if r.HistorySplit != dataset.Val {
		t.Errorf("the history is of %s, want val", r.HistorySplit)
	}
	// The labels of val are wrong on purpose. The best epoch by val is an early one.
	if last := r.History[len(r.History)-1]; last.TestTop1 > 0.1 {
		t.Errorf("after the last epoch %v of the wrong labels of val were hit: another split was measured", last.TestTop1)
	}
	best := r.Start.Top1
	for _, row := range r.History {
		best = max(best, row.TestTop1)
	}
	chosen := succeedJSON[rcfreeze.Evaluation](t, "eval", "tuned.onnx", "--data", "images", "--split", "val")
	if chosen.Top1 != best || chosen.Split != dataset.Val || chosen.Images != 12 {
		t.Errorf("the weights kept reach %v on %d images of %s; the best epoch %v", chosen.Top1, chosen.Images, chosen.Split, best)
	}
	c := succeedJSON[rcfreeze.Comparison](t, "compare", "model.onnx", "-o", "report", "--data", "images", "--variants", "baseline", "--epochs", "8", "--lr", "0.1", "-b", "8", "--weight-decay", "0")
	if c.Split != dataset.Test || c.Runs[0].Samples != 21 || c.Runs[0].Top1 < 0.9 {
		t.Errorf("compare measured %+v on %s, want the 21 images of test", c.Runs[0], c.Split)
	}
	_, stderr, _ := call(trainArgs("model.onnx", "told.onnx", "--data", "images", "--epochs", "1")...)
	if !strings.Contains(stderr, ", val loss ") || !strings.Contains(stderr, "the 12 val images are measured after every epoch, the 21 test images at the end") {
		t.Errorf("did not say what is measured when:\n%s", stderr)
	}
	_, stderr, _ = call(trainArgs("model.onnx", "flattered.onnx", "--keep", "best", "--epochs", "1")...)
	if !strings.Contains(stderr, "--keep best chooses by the test images") {
		t.Errorf("said nothing of choosing by what measures:\n%s", stderr)
	}
}

// TestTrainingSplits looks at which data sets training gets: where one serves as two, it is the same.
func TestTrainingSplits(t *testing.T) {
	workshop(t)
	writeBandFolders(t, "images")
	for class, name := range bandNames {
		writeBandFolder(t, filepath.Join("flat", name), class, 2)
		writeBandFolder(t, filepath.Join("held", "train", name), class, 2)
		writeBandFolder(t, filepath.Join("held", "val", name), class, 2)
	}
	for path, want := range map[string]struct {
		choose, test dataset.Split
		onTraining   bool
	}{
		"bands":  {dataset.Test, dataset.Test, false},
		"images": {dataset.Val, dataset.Test, false},
		"held":   {dataset.Val, dataset.Val, false},
		"flat":   {dataset.All, dataset.All, true},
	} {
		r := succeedJSON[rcfreeze.Trained](t, "train", "model.onnx", "-o", path+".onnx", "--data", path, "--epochs", "1", "-b", "4")
		if r.HistorySplit != want.choose || r.Split != want.test || r.OnTraining != want.onTraining {
			t.Errorf("%s: %v chooses, %v measures, on training images: %v; want %+v", path, r.HistorySplit, r.Split, r.OnTraining, want)
		}
	}
	if _, stderr, _ := call("eval", "model.onnx", "--data", "bands", "--split", "val"); !strings.Contains(stderr, "there is no val split: test takes its place") {
		t.Errorf("said %q", stderr)
	}
}

// TestWhatWasMeasured looks at what results say of the images they come from.
func TestWhatWasMeasured(t *testing.T) {
	workshop(t)
	for class, name := range bandNames {
		writeBandFolder(t, filepath.Join("flat", name), class, 4)
		writeBandFolder(t, filepath.Join("held", "val", name), class, 3)
	}
	flat := rcfreeze.MeasuredOn{Data: "flat", Split: dataset.All, Images: 12, Classes: 3, ModelClasses: 3}
	trained := flat
	trained.OnTraining = true
	held := rcfreeze.MeasuredOn{Data: "held", Split: dataset.Val, Images: 9, Classes: 3, ModelClasses: 3}
	bands := rcfreeze.MeasuredOn{Data: "bands", Split: dataset.Train, OnTraining: true, Images: 48, Classes: 3, ModelClasses: 3}
	for _, c := range []struct {
		args  string
		want  rcfreeze.MeasuredOn
		table string
	}{
		{"eval model.onnx --data flat", flat, "12, all of the data set, which has no separate splits\n"},
		{"eval model.onnx --data held --split test --normalize none", held, "9, val split\n"},
		{"eval model.onnx --data bands --split train", bands, "48, train split: they train\n"},
		{"train model.onnx -o out.onnx --data flat --epochs 1 -b 4", trained, "12, all of the data set, which has no separate splits: they were also used to train\n"},
		{"compare model.onnx -o report --data flat --epochs 1 -b 4 --variants baseline", trained, "12, all of the data set, which has no separate splits: they were also used to train\n"},
	} {
		args := strings.Fields(c.args)
		stdout := succeed(t, args...)
		if !strings.Contains(stdout, "images ") || !strings.Contains(stdout, c.table) {
			t.Errorf("rcfreeze %s does not print %q:\n%s", c.args, c.table, stdout)
		}
		os.RemoveAll("out.run")
		os.RemoveAll("report")
		var got rcfreeze.MeasuredOn
		switch args[0] {
		case "eval":
			got = succeedJSON[rcfreeze.Evaluation](t, args...).MeasuredOn
		case "train":
			got = succeedJSON[rcfreeze.Trained](t, args...).MeasuredOn
		case "compare":
			got = succeedJSON[rcfreeze.Comparison](t, args...).MeasuredOn
		}
		if got != c.want {
			t.Errorf("rcfreeze %s: measured on %+v, want %+v", c.args, got, c.want)
		}
	}
}

// TestClassesByName measures a model that records its classes on data sets that have others, or in another order.
func TestClassesByName(t *testing.T) {
	workshop(t)
	writeBandFolders(t, "images")
	succeed(t, trainArgs("model.onnx", "tuned.onnx", "--data", "images", "--epochs", "8", "--lr", "0.1")...)
	for class, name := range bandNames {
		writeBandFolder(t, filepath.Join("renamed", "test", fmt.Sprint(class, name)), class, 7)
		if name != "high" {
			writeBandFolder(t, filepath.Join("two", "test", name), class, 7)
		}
	}
	writeBandFolder(t, filepath.Join("one", "test", "mid"), 1, 7)
	write(t, "names.txt", []byte("0high\n2low\n1mid\n")) // in the order of the outputs, which is that of the folders that trained
	write(t, "names.json", []byte(`["0high", "2low", "1mid"]`))
	for _, c := range []struct {
		args string
		said string
		on   rcfreeze.MeasuredOn
	}{
		{"--data images", "", rcfreeze.MeasuredOn{Data: "images", Split: dataset.Test, Images: 21, Classes: 3, ModelClasses: 3}},
		{"--data renamed --classes names.txt", "another order", rcfreeze.MeasuredOn{Data: "renamed", Split: dataset.Test, Images: 21, Classes: 3, ModelClasses: 3}},
		{"--data renamed --classes names.json", "another order", rcfreeze.MeasuredOn{Data: "renamed", Split: dataset.Test, Images: 21, Classes: 3, ModelClasses: 3}},
		{"--data two", "2 classes are matched by name to the 3", rcfreeze.MeasuredOn{Data: "two", Split: dataset.Test, Images: 14, Classes: 2, ModelClasses: 3}},
	} {
		args := append([]string{"eval", "tuned.onnx"}, strings.Fields(c.args)...)
		_, stderr, _ := call(args...)
		if (c.said == "") == strings.Contains(stderr, "matched by name") || !strings.Contains(stderr, c.said) {
			t.Errorf("%s: said %q, want %q", c.args, stderr, c.said)
		}
		if r := succeedJSON[rcfreeze.Evaluation](t, args...); r.MeasuredOn != c.on || r.Top1 < 0.9 {
			t.Errorf("%s: top-1 %v on %+v, want above 0.9 on %+v", c.args, r.Top1, r.MeasuredOn, c.on)
		}
	}
	fails(t, "eval tuned.onnx --data renamed", "3 of the data set's 3 classes", "0high, 1mid, 2low", "only the model has: high, low, mid", "--classes FILE", "--num-classes 3")
	fails(t, "eval model.onnx --data two", "has 3 and does not name them: if the model knows these classes, list the names of its 3 classes", "--classes FILE", "rcfreeze train --num-classes")
	fails(t, "eval tuned.onnx --data one", "the only class is mid")
	fails(t, "eval tuned.onnx --data two --classes none.txt", "reading class names", "none.txt")
}
