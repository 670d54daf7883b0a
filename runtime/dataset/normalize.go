package dataset

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync"
)

// Normalization turns a pixel v of channel c into (v/255 - Mean[c]) / Std[c]: both are in units of [0,1].
// The zero Normalization divides by 255 and no more.
type Normalization struct{ Mean, Std []float64 }

var normalizations = map[string]Normalization{
	"mnist":         {[]float64{0.1307}, []float64{0.3081}},
	"fashion-mnist": {[]float64{0.2860}, []float64{0.3530}},
	"cifar10":       {[]float64{0.4914, 0.4822, 0.4465}, []float64{0.2470, 0.2435, 0.2616}},
	"cifar100":      {[]float64{0.5071, 0.4865, 0.4409}, []float64{0.2673, 0.2564, 0.2762}},
	"imagenet":      {[]float64{0.485, 0.456, 0.406}, []float64{0.229, 0.224, 0.225}},
}

// Normalizations returns the names that [NamedNormalization] knows.
func Normalizations() []string { return slices.Sorted(maps.Keys(normalizations)) }

// NamedNormalization returns the mean and standard deviation of a well-known training set.
func NamedNormalization(name string) (Normalization, error) {
	n, ok := normalizations[name]
	if !ok {
		return Normalization{}, fmt.Errorf("unknown normalization %q: choose %s", name, strings.Join(Normalizations(), ", "))
	}
	return n, nil
}

// check reports whether n fits images of so many channels.
func (n Normalization) check(channels int) error {
	if n.Mean == nil && n.Std == nil {
		return nil
	}
	if len(n.Mean) != channels || len(n.Std) != channels {
		return fmt.Errorf("normalization has %d means and %d standard deviations, the images have %d channels", len(n.Mean), len(n.Std), channels)
	}
	for c := range channels {
		if !(n.Std[c] > 0) || math.IsInf(n.Std[c], 0) || math.IsNaN(n.Mean[c]) || math.IsInf(n.Mean[c], 0) {
			return fmt.Errorf("normalization of channel %d has mean %v and standard deviation %v: needs finite numbers, the second above 0", c, n.Mean[c], n.Std[c])
		}
	}
	return nil
}

// tables returns for each channel what each of the 256 pixel values becomes.
func (n Normalization) tables(channels int) [][256]float32 {
	tables := make([][256]float32, channels)
	for c := range tables {
		mean, std := 0.0, 1.0
		if n.Mean != nil {
			mean, std = n.Mean[c], n.Std[c]
		}
		for v := range tables[c] {
			tables[c][v] = float32((float64(v)/255 - mean) / std)
		}
	}
	return tables
}

// MeanStd measures the mean and standard deviation of each channel over all pixels of at most limit samples
// (0: all), spread evenly over the data set.
func MeanStd(ctx context.Context, d *Dataset, limit int) (Normalization, error) {
	n := d.Len()
	if limit > 0 && limit < n {
		n = limit
	}
	counts, err := d.countPixels(ctx, n)
	if err != nil {
		return Normalization{}, fmt.Errorf("measuring mean and standard deviation of %s: %w", d.Path, err)
	}
	var result Normalization
	for c, histogram := range counts {
		mean, std := histogram.meanStd()
		if std == 0 {
			return Normalization{}, fmt.Errorf("measuring mean and standard deviation of %s: all pixels of channel %d are equal, "+
				"which cannot be normalized: give mean and standard deviation by hand", d.Path, c)
		}
		result.Mean, result.Std = append(result.Mean, mean), append(result.Std, std)
	}
	return result, nil
}

// histogram counts pixel values: exact, and the same in whatever order samples are added.
type histogram [256]int64

func (h *histogram) meanStd() (mean, std float64) {
	var n, sum, squares float64
	for v, count := range h {
		n += float64(count)
		sum += float64(count) * float64(v)
	}
	mean = sum / n
	for v, count := range h {
		squares += float64(count) * (float64(v) - mean) * (float64(v) - mean)
	}
	return mean / 255, math.Sqrt(squares/n) / 255
}

// countPixels returns the histogram of each channel over n samples spread evenly over the data set.
func (d *Dataset) countPixels(ctx context.Context, n int) ([]histogram, error) {
	total := make([]histogram, d.Shape.Channels)
	var mu sync.Mutex
	err := parallel(ctx, runtime.GOMAXPROCS(0), n, func() func(int) error {
		pixels := make([]uint8, d.Shape.Size())
		return func(i int) error {
			if err := d.Pixels(i*d.Len()/n, pixels); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			for c := range total {
				for _, v := range pixels[c*d.Shape.plane():][:d.Shape.plane()] {
					total[c][v]++
				}
			}
			return nil
		}
	})
	return total, err
}
