package main

import (
	"os"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// TestLimitOfImages gives a limit to each command that takes a data set: it says in one line for each split what it leaves out, and
// results have the limit.
func TestLimitOfImages(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	const train, test = "bands: using 20 of the 48 train images: the first (--limit 20)", "bands: using 20 of the 21 test images: the first (--limit 20)"
	for _, c := range []struct {
		args string
		said []string
	}{
		{"eval model.onnx --normalize none", []string{test}},
		{"eval model.onnx --split train", []string{train}},
		{"train model.onnx -o out.onnx --epochs 1 -b 4", []string{train, test}},
		{"compare model.onnx -o report --epochs 1 -b 4 --variants baseline", []string{train, test}},
		{"recalibrate net.onnx -o out.onnx -b 4", []string{train}},
		{"convert model.onnx -o out.onnx --pointwise calibrate", []string{train}},
	} {
		stdout, stderr, code := call(append(strings.Fields(c.args), "--data", "bands", "--limit", "20")...)
		if code != 0 || strings.Count(stderr, "--limit") != len(c.said) {
			t.Errorf("rcfreeze %s: exit code %d, said\n%s", c.args, code, stderr)
		}
		for _, said := range c.said {
			if strings.Count(stderr, said) != 1 {
				t.Errorf("rcfreeze %s: did not say once %q:\n%s", c.args, said, stderr)
			}
		}
		if strings.HasPrefix(c.args, "eval") && !strings.Contains(stdout, "20, "+map[bool]string{true: "train", false: "test"}[len(c.said) == 1 && c.said[0] == train]+" split with --limit 20") {
			t.Errorf("rcfreeze %s: the result does not have the limit:\n%s", c.args, stdout)
		}
	}
	measured := succeedJSON[rcfreeze.Evaluation](t, "eval", "model.onnx", "--data", "bands", "--limit", "10").MeasuredOn
	if want := (rcfreeze.MeasuredOn{Data: "bands", Split: dataset.Test, Images: 10, Limit: 10, Classes: 3, ModelClasses: 3}); measured != want {
		t.Errorf("measured on %+v, want %+v", measured, want)
	}
	if r := succeedJSON[rcfreeze.Recalibration](t, "recalibrate", "net.onnx", "-o", "out.onnx", "-b", "4", "--data", "bands", "--limit", "12"); r.Limit != 12 || r.Images != 12 {
		t.Errorf("recalibrated on %d images with the limit %d, want 12 with 12", r.Images, r.Limit)
	}
	if _, stderr, _ := call("eval", "model.onnx", "--data", "bands", "--limit", "1000", "--normalize", "none"); strings.Contains(stderr, "--limit") {
		t.Errorf("a limit beyond the data set: said\n%s", stderr)
	}
	if _, stderr, code := call("eval", "model.onnx", "--data", "bands", "--limit", "-1"); code != exitUsage || !strings.Contains(stderr, "--limit -1") {
		t.Errorf("a negative limit: exit code %d, said\n%s", code, stderr)
	}
}

// TestLimitOfResumedRuns continues runs and comparisons with another limit: they are refused by an error that names it, also where the
// images would be the same. With the same limit they go on.
func TestLimitOfResumedRuns(t *testing.T) {
	workshop(t)
	for _, line := range []string{
		"train model.onnx -o out.onnx --epochs 1 -b 4 --data bands",
		"compare model.onnx -o report --epochs 1 -b 4 --data bands --variants baseline",
	} {
		for was, others := range map[string][]string{"20": {"0", "21", "1000"}, "0": {"20", "1000"}} {
			succeed(t, strings.Fields(line+" --limit "+was)...)
			for _, is := range others {
				_, stderr, code := call(strings.Fields(line + " --resume --limit " + is)...)
				if code != exitFailed || !strings.Contains(stderr, "limit was "+was+" and is now "+is) {
					t.Errorf("rcfreeze %s, limit %s, then %s: exit code %d, said\n%s", line, was, is, code, stderr)
				}
			}
			succeed(t, strings.Fields(line+" --resume --limit "+was)...)
			for _, path := range []string{"out.run", "report"} {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}
