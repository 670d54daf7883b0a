package dataset

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func mustAugment(t testing.TB, text string) []Augmentation {
	t.Helper()
	list, err := ParseAugmentations(text)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func mustLoad(t testing.TB, d *Dataset, o LoaderOptions) *Loader {
	t.Helper()
	l, err := NewLoader(d, o)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// collect returns copies of the batches of an epoch.
func collect(t testing.TB, l *Loader, epoch, first int) []Batch {
	t.Helper()
	var all []Batch
	for b, err := range l.Batches(t.Context(), epoch, first) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, Batch{b.Step, b.Count, slices.Clone(b.Images), slices.Clone(b.Labels)})
	}
	return all
}

func equalBatch(a, b Batch) bool {
	return a.Step == b.Step && a.Count == b.Count && slices.Equal(a.Images, b.Images) && slices.Equal(a.Labels, b.Labels)
}

// numbered is a data set of n samples; sample i has label i, and pixels that no other sample has.
func numbered(n int, shape Shape) *Dataset {
	d := &Dataset{Path: "numbered", Shape: shape, Classes: numberNames(n), labels: make([]int64, n)}
	for i := range d.labels {
		d.labels[i] = int64(i)
	}
	d.sample = func(i int) string { return fmt.Sprintf("number %d", i) }
	d.read = func(i int, dst []uint8) error {
		r := rand.New(rand.NewPCG(uint64(i), 7))
		for j := range dst {
			dst[j] = uint8(r.IntN(256))
		}
		return nil
	}
	return d
}

func trainOptions(t testing.TB, workers int) LoaderOptions {
	return LoaderOptions{
		BatchSize: 8, Shuffle: true, Workers: workers, Seed: 42,
		Augment:   mustAugment(t, "pad-crop=2,flip=0.5"),
		Normalize: Normalization{Mean: []float64{0.5, 0.4, 0.3}, Std: []float64{0.2, 0.25, 0.3}},
	}
}

func TestBatchesDependOnSeedEpochAndStepOnly(t *testing.T) {
	d := numbered(50, Shape{3, 6, 5})
	l := mustLoad(t, d, trainOptions(t, 1))
	want := collect(t, l, 3, 0)
	for _, workers := range []int{0, 2, 7, 100} {
		got := collect(t, mustLoad(t, d, trainOptions(t, workers)), 3, 0)
		if !slices.EqualFunc(got, want, equalBatch) {
			t.Errorf("%d workers change the batches", workers)
		}
	}
	for first := range l.Steps() + 1 {
		if got := collect(t, l, 3, first); !slices.EqualFunc(got, want[first:], equalBatch) {
			t.Errorf("resuming at step %d changes the batches", first)
		}
	}
}

// TestSeedAndEpochDecide looks at what is drawn at random by itself, the order and each augmentation: it is another in another
// epoch and with another seed, and the same in the same.
func TestSeedAndEpochDecide(t *testing.T) {
	d := numbered(40, Shape{1, 9, 9})
	for _, c := range []struct {
		name    string
		shuffle bool
		augment string
	}{
		{"order", true, ""},
		{"crop", false, "pad-crop=4"},
		{"flip", false, "flip=0.5"},
	} {
		draw := func(seed uint64, epoch int) []Batch {
			l := mustLoad(t, d, LoaderOptions{BatchSize: 8, Shuffle: c.shuffle, Seed: seed, Augment: mustAugment(t, c.augment)})
			return collect(t, l, epoch, 0)
		}
		const seed, epoch = 1 << 40, 3
		first := draw(seed, epoch)
		if !slices.EqualFunc(draw(seed, epoch), first, equalBatch) {
			t.Errorf("%s: differs for the same seed and epoch", c.name)
		}
		for name, other := range map[string][]Batch{
			"the next epoch": draw(seed, epoch+1), "the first epoch": draw(seed, 0), "the next seed": draw(seed+1, epoch),
			"seed 0": draw(0, epoch), "the next seed and the epoch before": draw(seed+1, epoch-1), "seed and epoch exchanged": draw(epoch, seed),
		} {
			if slices.EqualFunc(other, first, equalBatch) {
				t.Errorf("%s: is the same in %s", c.name, name)
			}
		}
		if plain := draw(0, 0); c.shuffle && slices.IsSorted(plain[0].Labels) {
			t.Errorf("%s: that of seed 0 in epoch 0 is the data set's", c.name)
		}
	}
}

// TestGoldenEpoch pins what seeds stand for: a run that an older version has begun goes on with the same images, and a result can
// be repeated years later.
func TestGoldenEpoch(t *testing.T) {
	d := numbered(12, Shape{1, 3, 3})
	d.read = func(i int, dst []uint8) error {
		for j := range dst {
			dst[j] = uint8(10*i + j + 1)
		}
		return nil
	}
	for _, c := range []struct {
		seed   uint64
		epoch  int
		labels []int64
		first  []float32 // pixels of the first image
	}{
		{0, 0, []int64{5, 0, 2, 3, 8, 7, 6, 9, 4, 10, 1, 11}, []float32{0, 0, 0, 0, 53, 52, 0, 56, 55}},
		{42, 3, []int64{9, 4, 8, 5, 1, 3, 0, 11, 2, 10, 6, 7}, []float32{0, 0, 0, 93, 92, 91, 96, 95, 94}},
		{1 << 63, 1000, []int64{11, 3, 0, 1, 7, 8, 2, 6, 5, 10, 4, 9}, []float32{115, 114, 0, 118, 117, 0, 0, 0, 0}},
	} {
		l := mustLoad(t, d, LoaderOptions{BatchSize: 12, Shuffle: true, Seed: c.seed, Augment: mustAugment(t, "pad-crop=1,flip=0.5"), Normalize: Range(0, 255)})
		b := collect(t, l, c.epoch, 0)[0]
		if got := b.Images[:9]; !slices.Equal(b.Labels, c.labels) || !slices.Equal(got, c.first) {
			t.Errorf("seed %d, epoch %d: order %v, first image %v; want %v, %v", c.seed, c.epoch, b.Labels, got, c.labels, c.first)
		}
	}
}

// TestBatchesNaive makes an epoch by the plain definition and compares every element.
func TestBatchesNaive(t *testing.T) {
	shape := Shape{3, 6, 5}
	for _, augment := range []string{"", "pad-crop=2", "flip=1", "pad-crop=2,flip=0.5", "pad-crop=9"} {
		d, o := numbered(19, shape), trainOptions(t, 2)
		o.Augment = mustAugment(t, augment)
		const epoch = 5
		seen := map[int64]int{}
		for _, b := range collect(t, mustLoad(t, d, o), epoch, 0) {
			for j := range b.Labels {
				label := b.Labels[j]
				if j < b.Count {
					seen[label]++
				}
				want := naiveSample(t, d, o, epoch, int(label), augment)
				if got := b.Images[j*shape.Size():][:shape.Size()]; !slices.Equal(got, want) {
					t.Fatalf("augment %q: sample %d is\n%v, want\n%v", augment, label, got, want)
				}
			}
		}
		if len(seen) != d.Len() {
			t.Errorf("augment %q: an epoch has %d different samples, want %d", augment, len(seen), d.Len())
		}
	}
}

func naiveSample(t *testing.T, d *Dataset, o LoaderOptions, epoch, sample int, augment string) []float32 {
	t.Helper()
	s := d.Shape
	raw := make([]uint8, s.Size())
	if err := d.Pixels(sample, raw); err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(sampleKey(o.Seed, epoch, sample)))
	for part := range strings.SplitSeq(augment, ",") {
		var pad int
		var probability float64
		down, right, mirror := 0, 0, false
		if n, _ := fmt.Sscanf(part, "pad-crop=%d", &pad); n == 1 {
			down, right = r.IntN(2*pad+1), r.IntN(2*pad+1)
		} else if n, _ := fmt.Sscanf(part, "flip=%g", &probability); n == 1 {
			mirror = r.Float64() < probability
		}
		// padded is zero around the image; the crop starts at (down, right) in it.
		padded := make(map[[3]int]uint8)
		for c := range s.Channels {
			for y := range s.Height {
				for x := range s.Width {
					padded[[3]int{c, y + pad, x + pad}] = raw[(c*s.Height+y)*s.Width+x]
				}
			}
		}
		changed := make([]uint8, s.Size())
		for i := range changed {
			c, y, x := i/(s.Height*s.Width), i/s.Width%s.Height, i%s.Width
			if mirror {
				x = s.Width - 1 - x
			}
			changed[i] = padded[[3]int{c, y + down, x + right}]
		}
		raw = changed
	}
	out := make([]float32, s.Size())
	for i, v := range raw {
		c := i / (s.Height * s.Width)
		out[i] = float32((float64(v)/255 - o.Normalize.Mean[c]) / o.Normalize.Std[c])
	}
	return out
}

// TestRandomNumbers checks that neighboring samples and epochs draw crops and flips uniformly and
// independently: chi-squared over all combinations for pairs, which would exceed the bound once in 10^6.
func TestRandomNumbers(t *testing.T) {
	const n = 40000
	draw := func(epoch, sample int) int {
		r := rand.New(rand.NewPCG(sampleKey(1, epoch, sample)))
		return r.IntN(3)*6 + r.IntN(3)*2 + r.IntN(2)
	}
	for name, pair := range map[string]func(i int) (int, int){
		"samples": func(i int) (int, int) { return draw(0, i), draw(0, i+1) },
		"epochs":  func(i int) (int, int) { return draw(i, 3), draw(i+1, 3) },
	} {
		counts := make([]float64, 18*18)
		for i := range n {
			a, b := pair(2 * i)
			counts[a*18+b]++
		}
		expected, chi := float64(n)/float64(len(counts)), 0.0
		for _, c := range counts {
			chi += (c - expected) * (c - expected) / expected
		}
		if chi < 220 || chi > 455 { // 323 degrees of freedom
			t.Errorf("neighboring %s: chi-squared %.0f over %d cells", name, chi, len(counts))
		}
	}
}

func TestEvaluationBatches(t *testing.T) {
	d := numbered(11, Shape{1, 2, 2})
	for _, test := range []struct {
		o      LoaderOptions
		counts []int
		last   []int64
	}{
		{LoaderOptions{BatchSize: 4}, []int{4, 4, 3}, []int64{8, 9, 10, 8}},
		{LoaderOptions{BatchSize: 4, DropLast: true}, []int{4, 4}, []int64{4, 5, 6, 7}},
		{LoaderOptions{BatchSize: 11}, []int{11}, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10}},
		{LoaderOptions{BatchSize: 25}, []int{11}, []int64{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0, 1, 2}},
	} {
		l := mustLoad(t, d, test.o)
		all := collect(t, l, 0, 0)
		var counts []int
		for _, b := range all {
			counts = append(counts, b.Count)
		}
		last := all[len(all)-1]
		if !slices.Equal(counts, test.counts) || !slices.Equal(last.Labels, test.last) || l.Steps() != len(counts) {
			t.Errorf("%+v: counts %v, last labels %v; want %v, %v", test.o, counts, last.Labels, test.counts, test.last)
		}
		raw := make([]uint8, 4)
		for j, label := range last.Labels {
			d.Pixels(int(label), raw)
			for i, v := range raw {
				if got := last.Images[j*4+i]; got != float32(float64(v)/255) {
					t.Fatalf("%+v: element %d of image %d is %v, want %d/255", test.o, i, j, got, v)
				}
			}
		}
	}
}
