package train

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/damage"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

const metricsHeader = "epoch,lr,train_loss,train_top1,test_loss,test_top1,test_top5,seconds\n"

// TestMetrics reads what writeMetrics wrote.
func TestMetrics(t *testing.T) {
	f := Folder(t.TempDir())
	history := []Row{{1, 0.5, 2.25, 0.25, 2, 0.5, 0.75, 1.5}, {2, 0.25, 1.25, 0.5, 1, 0.625, 1, 2.5}}
	if err := writeMetrics(f.metrics(), evaluate.Result{Loss: 3, Top1: 0.125, Top5: 0.5}, history); err != nil {
		t.Fatal(err)
	}
	got, err := f.Metrics()
	if want := append([]Row{{TestLoss: 3, TestTop1: 0.125, TestTop5: 0.5}}, history...); err != nil || !slices.Equal(got, want) {
		t.Errorf("read %+v, want %+v; error %v", got, want, err)
	}
}

func TestBadMetrics(t *testing.T) {
	f := Folder(t.TempDir())
	if _, err := f.Metrics(); err == nil || !strings.Contains(err.Error(), "metrics.csv") {
		t.Errorf("no file: error %v", err)
	}
	for text, want := range map[string]string{
		"":                                "empty",
		metricsHeader + "0,,,,3,0.5\n":    "wrong number of fields",
		metricsHeader + "1,,,,3,0.5,1,\n": `epoch "1", need 0`,
		metricsHeader + "0,,,,3,0.5,1,\n1,0.5,x,0.5,1,0.5,1,1\n": `epoch 1: train_loss "x" is no number`,
		metricsHeader + "0,,,,3,0.5,1,\n1,,1,0.5,1,0.5,1,1\n":    `epoch 1: lr "" is no number`,
		metricsHeader + "0,,,,3,0.5,1,\n2,1,1,0.5,1,0.5,1,1\n":   `epoch "2", need 1`,
	} {
		if err := os.WriteFile(f.metrics(), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := f.Metrics()
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), filepath.Join(string(f), "metrics.csv")) {
			t.Errorf("%q: error %v, want one with %q and the file", text, err, want)
		}
	}
}

// FuzzMetrics damages metrics: what is read has its epochs in order.
func FuzzMetrics(f *testing.F) {
	f.Add([]byte(metricsHeader + "0,,,,3,0.5,1,\n1,0.5,1,0.5,1,0.5,1,1.5\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > mostFuzzed {
			return
		}
		defer damage.Watch(t, len(data))()
		rows, err := parseMetrics(data)
		for i, r := range rows {
			if err != nil || r.Epoch != i {
				t.Fatalf("row %d is of epoch %d; error %v", i, r.Epoch, err)
			}
		}
	})
}
