package main

import (
	"bytes"
	"math"
	"testing"

	"github.com/rcfreeze/rcfreeze"
)

// TestCalibrate spoils nothing but statistics, and gives those of the images, whatever they were before.
func TestCalibrate(t *testing.T) {
	workshop(t)
	succeed(t, "new", "cifar-resnet", "-o", "net.onnx", "--depth", "8", "--width", "2", "--classes", "3", "--input", "1x12x12")
	r := succeedJSON[rcfreeze.Recalibration](t, "recalibrate", "net.onnx", "-o", "once.onnx", "--data", "bands", "-b", "16")
	if len(r.Changes) != 9 || r.Images != trainCount || r.Changes[0].Channels != 2 || r.Changes[0].MeanShift == 0 {
		t.Errorf("reports %+v, want 9 nodes on %d images", r.Report, trainCount)
	}
	again := succeedJSON[rcfreeze.Recalibration](t, "recalibrate", "once.onnx", "-o", "twice.onnx", "--data", "bands", "-b", "16")
	if !bytes.Equal(read(t, "once.onnx"), read(t, "twice.onnx")) || again.Changes[0].MeanShift > 1e-6 || math.Abs(again.Changes[0].VarianceRatio-1) > 1e-6 {
		t.Errorf("the second time on the same images it changed %+v", again.Changes[0])
	}
	for name, same := range map[string]bool{"conv1.weight": true, "bn1.weight": true, "bn1.running_mean": false, "bn1.running_var": false} {
		if got := bytes.Equal(tensor(t, "net.onnx", name), tensor(t, "once.onnx", name)); got != same {
			t.Errorf("%s stayed the same: %v, want %v", name, got, same)
		}
	}
	// a data set of other labels will do, since none are read
	writeBands(t, "labels", 7)
	part := succeedJSON[rcfreeze.Recalibration](t, "recalibrate", "net.onnx", "-o", "part.onnx", "--data", "labels", "-b", "16", "--images", "20", "--normalize", "none")
	if part.Images != 16 {
		t.Errorf("took %d images, want a batch of 16", part.Images)
	}
}
