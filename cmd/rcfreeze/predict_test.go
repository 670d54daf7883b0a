package main

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
)

// writePictures writes the test images of the bands as files, and returns their names.
func writePictures(t *testing.T, folder string) (files []string) {
	t.Helper()
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range testCount {
		picture := image.NewGray(image.Rect(0, 0, side, side))
		for y := range side {
			for x := range side {
				picture.SetGray(x, y, color.Gray{Y: pixel(i, x, y)})
			}
		}
		var file bytes.Buffer
		if err := png.Encode(&file, picture); err != nil {
			t.Fatal(err)
		}
		files = append(files, filepath.Join(folder, fmt.Sprintf("%02d.png", i)))
		write(t, files[i], file.Bytes())
	}
	return files
}

// TestPredict trains a model, and asks for the classes of the images that measured it.
func TestPredict(t *testing.T) {
	workshop(t)
	files := writePictures(t, "pictures")
	write(t, "pictures/notes.txt", nil)
	write(t, "names.txt", []byte("top\nmiddle\nbottom\n"))
	trained := succeedJSON[rcfreeze.Trained](t, trainArgs("model.onnx", "tuned.onnx", "--epochs", "2")...)
	got := succeedJSON[rcfreeze.Predictions](t, "predict", "tuned.onnx", "pictures", "--classes", "names.txt")
	names := []string{"top", "middle", "bottom"}
	right := 0
	for i, p := range got.Images {
		sum := 0.0
		for _, c := range p.Classes {
			sum += c.Probability
		}
		if p.Image != files[i] || len(p.Classes) != classCount || math.Abs(sum-1) > 1e-6 ||
			!slices.IsSortedFunc(p.Classes, func(a, b rcfreeze.Likelihood) int { return int(math.Copysign(1, b.Probability-a.Probability)) }) {
			t.Fatalf("prediction %d: %+v", i, p)
		}
		if p.Classes[0].Class == names[i%classCount] {
			right++
		}
	}
	if len(got.Images) != testCount || float64(right)/testCount != trained.Result.Top1 {
		t.Errorf("%d of %d predictions are right, training measured %g", right, len(got.Images), trained.Result.Top1)
	}
	stdout, stderr, code := call("predict", "tuned.onnx", files[4], files[2], "--top", "1")
	if code != exitDone || !strings.Contains(stderr, "normalization of images: mean 0.3453, standard deviation 0.3832") ||
		strings.Index(stdout, "04.png") > strings.Index(stdout, "02.png") || strings.Count(stdout, " %") != 2 {
		t.Errorf("exit code %d:\n%s%s", code, stdout, stderr)
	}
	if _, stderr, _ := call("predict", "tuned.onnx", "pictures"); !strings.Contains(stderr, "passed over 1 files") {
		t.Errorf("not a word of the file that is no image:\n%s", stderr)
	}
	if stdout, _, _ := call("predict", "model.onnx", files[0], "--normalize", "none", "--json"); !strings.Contains(stdout, `"class": "2"`) {
		t.Errorf("classes without names are not numbers:\n%s", stdout)
	}
	const gray = "takes images of 1 channel: those in color are turned into gray\n"
	if strings.Count(stderr, "tuned.onnx "+gray) != 1 {
		t.Errorf("not a word of colors:\n%s", stderr)
	}
	writeFolders(t, "folders", "cat", "dog")
	_, folders, _ := call("train", "model.onnx", "-o", "gray.onnx", "--data", "folders", "--num-classes", "2", "--epochs", "1")
	if _, bands, _ := call("eval", "model.onnx", "--data", "bands"); strings.Count(folders, "model.onnx "+gray) != 1 || strings.Contains(bands, gray) {
		t.Errorf("what is said of colors, of image files and of arrays:\n%s\n%s", folders, bands)
	}
	if _, stderr, _ := call("predict", "model.onnx", "pictures"); strings.Contains(stderr, "does not name its classes") {
		t.Errorf("talks of classes before it fails:\n%s", stderr)
	}
	write(t, "damaged.png", read(t, files[0])[:60])
	if err := os.Mkdir("empty", 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, "two.txt", []byte("a\nb\n"))
	for args, wants := range map[string][]string{
		"predict tuned.onnx nowhere.png empty":                        {"nowhere.png", "empty holds no PNG or JPEG file"},
		"predict tuned.onnx pictures damaged.png":                     {"damaged.png", "PNG"},
		"predict tuned.onnx pictures/notes.txt":                       {"loading images: reading pictures/notes.txt", "not a PNG or JPEG image"},
		"predict tuned.onnx pictures --top 0":                         {"--top 0"},
		"predict tuned.onnx pictures --classes two.txt":               {"2 classes", "3"},
		"predict model.onnx pictures":                                 {"does not record how to normalize images: give --normalize NAME", "--normalize"},
		"predict tuned.onnx pictures --logits nothing":                {`no output "nothing"`},
		"predict tuned.onnx pictures --normalize none --short-side 5": {"short side"},
	} {
		_, stderr, code := call(strings.Fields(args)...)
		for _, want := range wants {
			if code == exitDone || !strings.Contains(stderr, want) {
				t.Errorf("%s: exit code %d, want %q in:\n%s", args, code, want, stderr)
			}
		}
	}
}

// TestPredictSeveralOutputs has a model with several outputs: the class names choose, else the user must.
func TestPredictSeveralOutputs(t *testing.T) {
	workshop(t)
	files := writePictures(t, "pictures")
	m := newLinear(t)
	for name, columns := range map[string]int64{"features": 8, "logits": 3} {
		v, _ := m.product(name, columns)
		m.output(v, name, columns)
	}
	m.save("several.onnx")
	write(t, "names.txt", []byte("a\nb\nc\n"))
	args := []string{"predict", "several.onnx", files[0], "--normalize", "none"}
	if _, stderr, code := call(args...); code == exitDone || !strings.Contains(stderr, "--logits NAME") {
		t.Errorf("exit code %d:\n%s", code, stderr)
	}
	for _, more := range [][]string{{"--logits", "logits"}, {"--classes", "names.txt"}} {
		if got := succeedJSON[rcfreeze.Predictions](t, append(args, more...)...); len(got.Images) != 1 || len(got.Images[0].Classes) != 3 {
			t.Errorf("%v: predicted %+v", more, got.Images)
		}
	}
}
