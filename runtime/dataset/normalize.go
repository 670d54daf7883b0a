package dataset

import (
	"context"
	"fmt"
	"maps"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Normalization converts a pixel v, from 0 to 255, of the model's channel c to (v/255 - Mean[c]) / Std[c]. Mean and Std are in
// units of [0,1], and in the order of the model's channels. A single Mean and Std apply to all channels. The zero Normalization
// only divides by 255.
type Normalization struct {
	Mean     []float64 `json:"mean"`
	Std      []float64 `json:"std"`
	Channels string    `json:"channels,omitempty"` // BGR if the model takes blue first; "" (not "rgb") for RGB and gray
}

// String describes the normalization with four significant digits, and with one number if all channels are equal.
func (n Normalization) String() string {
	text := "none: pixels from 0 to 1"
	if n.Mean != nil {
		text = fmt.Sprintf("mean %s, standard deviation %s, of pixels from 0 to 1", significant(n.Mean), significant(n.Std))
	}
	if n.Channels != "" {
		text += ", channels " + n.Channels
	}
	return text
}

// significant returns numbers with four significant digits, and a single number if all are equal.
func significant(list []float64) string {
	var words []string
	for _, v := range slices.Compact(slices.Clone(list)) {
		words = append(words, strconv.FormatFloat(v, 'g', 4, 64))
	}
	return strings.Join(words, ",")
}

// BGR says that a model takes blue first and red last, as models from Caffe and OpenCV do.
const BGR = "bgr"

var normalizations = map[string]Normalization{
	"mnist":         {Mean: []float64{0.1307}, Std: []float64{0.3081}},
	"fashion-mnist": {Mean: []float64{0.2860}, Std: []float64{0.3530}},
	"cifar10":       {Mean: []float64{0.4914, 0.4822, 0.4465}, Std: []float64{0.2470, 0.2435, 0.2616}},
	"cifar100":      {Mean: []float64{0.5071, 0.4865, 0.4409}, Std: []float64{0.2673, 0.2564, 0.2762}},
	"imagenet":      {Mean: []float64{0.485, 0.456, 0.406}, Std: []float64{0.229, 0.224, 0.225}},
}

// Normalizations returns the names that [NamedNormalization] knows.
func Normalizations() []string { return slices.Sorted(maps.Keys(normalizations)) }

// NamedNormalization returns the mean and standard deviation of a well-known training set, for channels in the order RGB. It
// fails if the name is not one of [Normalizations].
func NamedNormalization(name string) (Normalization, error) {
	n, ok := normalizations[name]
	if !ok {
		return Normalization{}, fmt.Errorf("unknown normalization %q: choose %s", name, strings.Join(Normalizations(), ", "))
	}
	return n, nil
}

// Range returns the Normalization that maps black (0) to low, and white (255) to high.
func Range(low, high float64) Normalization {
	return Normalization{Mean: []float64{(0 - low) / (high - low)}, Std: []float64{1 / (high - low)}}
}

// For returns n for images with the given number of channels: it repeats a single mean and standard deviation. It fails if n has
// another number of channels.
func (n Normalization) For(channels int) (Normalization, error) {
	for _, list := range []*[]float64{&n.Mean, &n.Std} {
		if len(*list) == 1 {
			*list = slices.Repeat(*list, channels)
		}
	}
	if n.Channels != "" && (n.Channels != BGR || channels != 3) {
		return n, fmt.Errorf("normalization has the channel order %q, the images have %d channels: needs %q for images of 3 channels, or none", n.Channels, channels, BGR)
	}
	if n.Mean == nil && n.Std == nil {
		return n, nil
	}
	if len(n.Mean) != channels || len(n.Std) != channels {
		return n, fmt.Errorf("normalization has %d means and %d standard deviations, the images have %d channels", len(n.Mean), len(n.Std), channels)
	}
	for c := range channels {
		if !(n.Std[c] > 0) || math.IsInf(n.Std[c], 0) || math.IsNaN(n.Mean[c]) || math.IsInf(n.Mean[c], 0) {
			return n, fmt.Errorf("normalization of channel %d has mean %v and standard deviation %v: needs finite numbers, the second above 0", c, n.Mean[c], n.Std[c])
		}
	}
	return n, nil
}

// In returns n for a model that takes its channels in the given order, BGR or "" for RGB (not "rgb"). Every color keeps its mean
// and standard deviation: if the order changes, Mean and Std are reversed.
func (n Normalization) In(order string) Normalization {
	if n.Channels == order {
		return n
	}
	n.Mean, n.Std, n.Channels = slices.Clone(n.Mean), slices.Clone(n.Std), order
	slices.Reverse(n.Mean)
	slices.Reverse(n.Std)
	return n
}

// from returns the channel of the image that becomes the model's channel c.
func (n Normalization) from(c, channels int) int {
	if n.Channels == BGR {
		return channels - 1 - c
	}
	return c
}

// tables returns, for each of the model's channels, the normalized values of the 256 pixel values.
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

// MeanStd measures the mean and standard deviation of each channel over all pixels of at most limit samples (0 means all), spread
// evenly over the data set.
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

// histogram counts pixel values. It is exact, so the order of samples does not matter.
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
