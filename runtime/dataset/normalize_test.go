package dataset

import (
	"context"
	"errors"
	"maps"
	"math"
	"path/filepath"
	"slices"
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
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := MeanStd(stopped, numbered(9, Shape{3, 4, 4}), 0); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: error %v", err)
	}
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

// TestNamedNormalization compares the named normalizations with the numbers that are published: models were trained with these,
// and compute something else with others.
func TestNamedNormalization(t *testing.T) {
	published := map[string]struct {
		mean, std []float64
	}{
		// PyTorch's example for MNIST.
		"mnist": {[]float64{0.1307}, []float64{0.3081}},
		// Measured over the training images; TestFashionMNIST does so, too.
		"fashion-mnist": {[]float64{0.2860}, []float64{0.3530}},
		// Measured over the training images, with one standard deviation of all pixels of a channel.
		"cifar10":  {[]float64{0.4914, 0.4822, 0.4465}, []float64{0.2470, 0.2435, 0.2616}},
		"cifar100": {[]float64{0.5071, 0.4865, 0.4409}, []float64{0.2673, 0.2564, 0.2762}},
		// torchvision's models.
		"imagenet": {[]float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}},
	}
	if names := slices.Sorted(maps.Keys(published)); !slices.Equal(names, Normalizations()) {
		t.Errorf("the normalizations are %v, want %v", Normalizations(), names)
	}
	for name, want := range published {
		n, err := NamedNormalization(name)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(n.Mean, want.mean) || !slices.Equal(n.Std, want.std) || n.Channels != "" {
			t.Errorf("%s: %+v, want mean %v, standard deviation %v", name, n, want.mean, want.std)
		}
	}
	if _, err := NamedNormalization("svnh"); err == nil || !strings.Contains(err.Error(), "cifar10, cifar100, fashion-mnist") {
		t.Errorf("unknown name: error %v", err)
	}
}

// TestNormalizedBatch compares a batch with the definition, for orders of channels and ranges of pixels.
func TestNormalizedBatch(t *testing.T) {
	dir := t.TempDir()
	writeCIFAR10(t, dir)
	d := mustOpen(t, dir, Options{})
	pixels := make([]byte, d.Shape.Size())
	if err := d.Pixels(3, pixels); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		n    Normalization
		want func(channel int, v float64) float64 // of the model's channel and the pixel that it gets
		from []int                                // which channel of the image the model's channels are
	}{
		{"none", Normalization{}, func(_ int, v float64) float64 { return v / 255 }, []int{0, 1, 2}},
		{"none, blue first", Normalization{Channels: BGR}, func(_ int, v float64) float64 { return v / 255 }, []int{2, 1, 0}},
		{"0 to 255", Range(0, 255), func(_ int, v float64) float64 { return v }, []int{0, 1, 2}},
		{"-1 to 1", Range(-1, 1), func(_ int, v float64) float64 { return v/127.5 - 1 }, []int{0, 1, 2}},
		{"2 to 4", Range(2, 4), func(_ int, v float64) float64 { return 2 + v/127.5 }, []int{0, 1, 2}},
		{"a mean for each channel", Normalization{Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{0.5}},
			func(c int, v float64) float64 { return (v/255 - []float64{0.1, 0.2, 0.3}[c]) / 0.5 }, []int{0, 1, 2}},
		{"blue first", Normalization{Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{0.5, 0.6, 0.7}, Channels: BGR},
			func(c int, v float64) float64 {
				return (v/255 - []float64{0.1, 0.2, 0.3}[c]) / []float64{0.5, 0.6, 0.7}[c]
			}, []int{2, 1, 0}},
		{"in the order that it has", Normalization{Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{0.5, 0.6, 0.7}}.In(""),
			func(c int, v float64) float64 {
				return (v/255 - []float64{0.1, 0.2, 0.3}[c]) / []float64{0.5, 0.6, 0.7}[c]
			}, []int{0, 1, 2}},
		{"colors keep their mean", Normalization{Mean: []float64{0.1, 0.2, 0.3}, Std: []float64{0.5, 0.6, 0.7}}.In(BGR),
			func(c int, v float64) float64 {
				return (v/255 - []float64{0.3, 0.2, 0.1}[c]) / []float64{0.7, 0.6, 0.5}[c]
			}, []int{2, 1, 0}},
	}
	for _, test := range tests {
		for batch, err := range mustLoad(t, d, LoaderOptions{BatchSize: 4, Normalize: test.n}).Batches(t.Context(), 0, 0) {
			if err != nil {
				t.Fatal(err)
			}
			image := batch.Images[3*d.Shape.Size():][:d.Shape.Size()]
			for i, got := range image {
				c := i / d.Shape.plane()
				want := test.want(c, float64(pixels[test.from[c]*d.Shape.plane()+i%d.Shape.plane()]))
				if math.Abs(float64(got)-want) > 1e-5 {
					t.Fatalf("%s: number %d of channel %d is %v, want %v", test.name, i%d.Shape.plane(), c, got, want)
				}
			}
			break
		}
	}
}

// TestWholeNumbers checks that pixels of 0 to 255 are whole numbers to the bit, as models that take integers need.
func TestWholeNumbers(t *testing.T) {
	n, err := Range(0, 255).For(3)
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range n.tables(3) {
		for v, got := range table {
			if got != float32(v) {
				t.Errorf("pixel %d becomes %v", v, got)
			}
		}
	}
}

func TestNormalizationFor(t *testing.T) {
	for _, test := range []struct {
		n        Normalization
		channels int
		want     string
	}{
		{Normalization{Channels: BGR}, 1, "channel order"},
		{Normalization{Channels: "grb"}, 3, "channel order"},
		{Normalization{Mean: []float64{0, 0}, Std: []float64{1, 1}}, 3, "2 means"},
		{Normalization{Mean: []float64{0}, Std: []float64{0}}, 3, "above 0"},
		{Normalization{Mean: []float64{math.NaN()}, Std: []float64{1}}, 1, "finite"},
		{Normalization{Mean: []float64{math.Inf(1)}, Std: []float64{1}}, 1, "finite"},
		{Normalization{Mean: []float64{math.Inf(-1)}, Std: []float64{1}}, 1, "finite"},
		{Normalization{Mean: []float64{0}, Std: []float64{math.NaN()}}, 1, "finite"},
		{Normalization{Mean: []float64{0}, Std: []float64{math.Inf(1)}}, 1, "finite"},
		{Normalization{Mean: []float64{0}, Std: []float64{-1}}, 1, "above 0"},
		{Normalization{Mean: []float64{0}, Std: []float64{1}}, 7, ""},
	} {
		n, err := test.n.For(test.channels)
		if test.want == "" && (err != nil || len(n.Mean) != test.channels) || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%+v for %d channels: %v, error %v, want %q", test.n, test.channels, n, err, test.want)
		}
	}
}
