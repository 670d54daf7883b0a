package dataset

import (
	"math"
	"path/filepath"
	"strings"
	"testing"
)

func near(a, b []float64, tolerance float64) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !(math.Abs(a[i]-b[i]) <= tolerance) {
			return false
		}
	}
	return true
}

func TestMeanStd(t *testing.T) {
	dir := t.TempDir()
	writeCIFAR10(t, dir)
	d := mustOpen(t, dir, Options{})
	for limit, samples := range map[int][]int{0: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 10: {0, 1, 2, 3, 4, 5, 6, 7, 8, 9}, 5: {0, 2, 4, 6, 8}, 1: {0}} {
		got, err := MeanStd(t.Context(), d, limit)
		if err != nil {
			t.Fatal(err)
		}
		var mean, std []float64
		for c := range 3 {
			var sum, squares float64
			for _, s := range samples {
				for i := range 1024 {
					v := float64((s%2+c*1024+i)%251) / 255 // as writeCIFAR10 writes it
					sum += v
					squares += v * v
				}
			}
			n := float64(1024 * len(samples))
			mean = append(mean, sum/n)
			std = append(std, math.Sqrt(squares/n-sum/n*sum/n))
		}
		if !near(got.Mean, mean, 1e-9) || !near(got.Std, std, 1e-9) {
			t.Errorf("limit %d: %v, want mean %v, standard deviation %v", limit, got, mean, std)
		}
	}
}

func TestMeanStdErrors(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "cat/x.png"), pngFile(t, plain(4, 4, red)))
	if _, err := MeanStd(t.Context(), mustOpen(t, dir, Options{Shape: Shape{3, 4, 4}, AnyClasses: true}), 0); err == nil || !strings.Contains(err.Error(), "channel 0") {
		t.Errorf("a constant channel: error %v", err)
	}
	write(t, filepath.Join(dir, "cat/y.png"), nil)
	if _, err := MeanStd(t.Context(), mustOpen(t, dir, Options{Shape: Shape{3, 4, 4}, AnyClasses: true}), 0); err == nil || !strings.Contains(err.Error(), "y.png") {
		t.Errorf("an unreadable image: error %v", err)
	}
}

func TestNamedNormalization(t *testing.T) {
	for _, name := range Normalizations() {
		n, err := NamedNormalization(name)
		if err != nil {
			t.Fatal(err)
		}
		channels := 3
		if strings.Contains(name, "mnist") {
			channels = 1
		}
		if err := n.check(channels); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NamedNormalization("svnh"); err == nil || !strings.Contains(err.Error(), "cifar10, cifar100, fashion-mnist") {
		t.Errorf("unknown name: error %v", err)
	}
}
