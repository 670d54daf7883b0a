package filterstats_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// draw returns filters with weights from U[-1, 1].
func draw(seed uint64, count, channels int, kernel ...int) filterstats.Filters {
	f := filterstats.Filters{Kernel: kernel, Channels: channels}
	r := rand.New(rand.NewPCG(seed, 0))
	for range count * channels * product(kernel) {
		f.Weights = append(f.Weights, 2*r.Float64()-1)
	}
	return f
}

// of returns filters of one channel with these kernels.
func of(kernel []int, kernels ...[]float64) filterstats.Filters {
	return filterstats.Filters{Kernel: kernel, Channels: 1, Weights: slices.Concat(kernels...)}
}

// each returns filters with weights that f makes of those of others, which it gets with the position in the kernel and the number of the kernel.
func each(from filterstats.Filters, f func(w float64, tap, kernel int) float64) filterstats.Filters {
	taps := product(from.Kernel)
	from.Weights = slices.Clone(from.Weights)
	for i, w := range from.Weights {
		from.Weights[i] = f(w, i%taps, i/taps)
	}
	return from
}

func product(list []int) int {
	p := 1
	for _, k := range list {
		p *= k
	}
	return p
}

func constant(v float64, count int) []float64 { return slices.Repeat([]float64{v}, count) }

// unit returns a kernel that is v in one place, and 0 elsewhere.
func unit(v float64, at, taps int) []float64 {
	k := constant(0, taps)
	k[at] = v
	return k
}

// rows returns the kernels of filters.
func rows(f filterstats.Filters) [][]float64 {
	return slices.Collect(slices.Chunk(f.Weights, product(f.Kernel)))
}

// isNear compares numbers that may not be there.
func isNear(got, want *float64, tolerance float64) bool {
	if got == nil || want == nil {
		return got == want
	}
	return math.Abs(*got-*want) <= tolerance
}

func text(v *float64) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprint(*v)
}

// jacobi returns the eigenvalues of a symmetric matrix, and its eigenvectors as rows, by rotations that make one pair of elements 0 at a time.
func jacobi(a [][]float64) (values []float64, vectors [][]float64) {
	n := len(a)
	for i := range n {
		vectors = append(vectors, unit(1, i, n))
	}
	for range 50 {
		for p := range n {
			for q := p + 1; q < n; q++ {
				if a[p][q] == 0 {
					continue
				}
				angle := math.Atan2(2*a[p][q], a[q][q]-a[p][p]) / 2
				c, s := math.Cos(angle), math.Sin(angle)
				for k := range n {
					a[k][p], a[k][q] = c*a[k][p]-s*a[k][q], s*a[k][p]+c*a[k][q]
				}
				for k := range n {
					a[p][k], a[q][k] = c*a[p][k]-s*a[q][k], s*a[p][k]+c*a[q][k]
					vectors[p][k], vectors[q][k] = c*vectors[p][k]-s*vectors[q][k], s*vectors[p][k]+c*vectors[q][k]
				}
			}
		}
	}
	for i := range n {
		values = append(values, a[i][i])
	}
	return values, vectors
}

// covariance returns the mean of vectors, and the sums of products of their differences from it.
func covariance(vectors [][]float64) (mean []float64, sums [][]float64) {
	n := len(vectors[0])
	mean = constant(0, n)
	for _, v := range vectors {
		for i := range v {
			mean[i] += v[i] / float64(len(vectors))
		}
	}
	for i := range n {
		sums = append(sums, constant(0, n))
		for j := range n {
			for _, v := range vectors {
				sums[i][j] += (v[i] - mean[i]) * (v[j] - mean[j])
			}
		}
	}
	return mean, sums
}

// entropy is the filter variance entropy by its definition.
func entropy(f filterstats.Filters) float64 {
	_, sums := covariance(rows(f))
	values, _ := jacobi(sums)
	total, h := 0.0, 0.0
	for _, v := range values {
		total += v
	}
	for _, v := range values {
		if v > 1e-15*total {
			h -= v / total * math.Log10(v/total)
		}
	}
	return h
}

func TestEntropy(t *testing.T) {
	var axes [][]float64 // every direction alike
	for i := range 9 {
		axes = append(axes, unit(1, i, 9), unit(-1, i, 9))
	}
	three := []int{3, 3}
	random := draw(1, 16, 8, 3, 3)
	cases := []struct {
		name string
		f    filterstats.Filters
		want float64
	}{
		{"every direction alike", of(three, axes...), math.Log10(9)},
		{"multiples of one pattern", each(random, func(_ float64, tap, kernel int) float64 { return float64(tap-3) * (float64(kernel) + 0.3) }), 0},
		{"equal kernels", each(random, func(_ float64, tap, _ int) float64 { return float64(tap) / 7 }), 0},
		{"one number", each(random, func(float64, int, int) float64 { return 0.1 }), 0},
		{"zeros", each(random, func(float64, int, int) float64 { return 0 }), 0},
		{"two directions, a quarter and three quarters of the variance", of(three, unit(1, 0, 9), unit(-1, 0, 9), unit(math.Sqrt(3), 5, 9), unit(-math.Sqrt(3), 5, 9)),
			-0.25*math.Log10(0.25) - 0.75*math.Log10(0.75)},
		{"two kernels vary along one line", draw(2, 2, 1, 3, 3), 0},
	}
	for _, f := range []struct {
		name string
		filterstats.Filters
	}{
		{"random", random}, {"a dead position", each(random, func(w float64, tap, _ int) float64 {
			if tap == 4 {
				return 0
			}
			return w
		})},
		{"far from 0", each(random, func(w float64, _, _ int) float64 { return w + 1000 })},
		{"tiny", each(random, func(w float64, _, _ int) float64 { return w * 1e-40 })},
		{"huge", each(random, func(w float64, _, _ int) float64 { return w * 1e200 })},
		{"concentrated in the center", each(random, func(w float64, tap, _ int) float64 { return w / (1 + math.Abs(float64(tap-4))) })},
		{"fewer kernels than positions", draw(3, 2, 2, 3, 3)}, {"5×5", draw(4, 9, 7, 5, 5)}, {"5×5, few", draw(4, 3, 2, 5, 5)},
		{"1-D", draw(5, 6, 4, 7)}, {"3-D", draw(6, 8, 5, 3, 3, 3)}, {"1×7", draw(7, 8, 8, 1, 7)},
	} {
		scaled := each(f.Filters, func(w float64, _, _ int) float64 { return w / slices.Max(f.Weights) })
		cases = append(cases, struct {
			name string
			f    filterstats.Filters
			want float64
		}{f.name, f.Filters, entropy(scaled)})
	}
	for _, c := range cases {
		if got := c.f.Entropy().FVE; !isNear(got, &c.want, 1e-9) {
			t.Errorf("%s: entropy %s, want %v", c.name, text(got), c.want)
		}
	}
}

// TestEntropyRatio has thresholds that another program computed.
func TestEntropyRatio(t *testing.T) {
	for _, c := range []struct {
		name      string
		f         filterstats.Filters
		threshold float64 // 0 for none
	}{
		{"nine kernels", draw(1, 3, 3, 3, 3), 0.5515074123394546},
		{"16 kernels", draw(2, 16, 1, 3, 3), 0.722083053750588},
		{"256 kernels", draw(3, 16, 16, 3, 3), 0.9433073096252411},
		{"1024 kernels", draw(4, 64, 16, 3, 3), 0.9499356671412686},
		{"eight kernels", draw(5, 4, 2, 3, 3), 0},
		{"5×5", draw(6, 16, 16, 5, 5), 0},
		{"3×5", draw(6, 16, 16, 3, 5), 0},
		{"5×3", draw(6, 16, 16, 5, 3), 0},
		{"3, 1-D", draw(7, 16, 16, 3), 0},
		{"3×3×3", draw(8, 16, 16, 3, 3, 3), 0},
		{"1×9", draw(9, 16, 16, 1, 9), 0},
	} {
		e := c.f.Entropy()
		var want *float64
		if c.threshold > 0 {
			ratio := *e.FVE / c.threshold
			want = &ratio
		}
		if !isNear(e.Ratio, want, 1e-9) {
			t.Errorf("%s: ratio %s, want %s", c.name, text(e.Ratio), text(want))
		}
	}
	if e := draw(1, 1, 1, 3, 3).Entropy(); e.FVE != nil || e.Ratio != nil {
		t.Errorf("one kernel: entropy %s, ratio %s, want none", text(e.FVE), text(e.Ratio))
	}
	if e := draw(1, 128, 64, 3, 3).Entropy(); *e.Ratio < 0.99 || *e.Ratio > 1.01 {
		t.Errorf("8,192 random kernels: ratio %v, want about 1", *e.Ratio)
	}
	same := each(draw(1, 128, 64, 3, 3), func(_ float64, tap, kernel int) float64 { return float64(1+tap) * float64(kernel-40) })
	if e := same.Entropy(); math.Abs(*e.Ratio) > 1e-9 {
		t.Errorf("multiples of one kernel: ratio %v, want 0", *e.Ratio)
	}
}

func TestSparsity(t *testing.T) {
	one := []int{2}
	for _, c := range []struct {
		name string
		f    filterstats.Filters
		want float64
	}{
		{"none", of(one, []float64{1, 0}, []float64{0, -0.5}), 0},
		{"one of four", of(one, []float64{1, 0}, []float64{0.009, -0.0099}, []float64{0, 0.02}, []float64{-1, -1}), 0.25},
		{"at the bound", of(one, []float64{-100, 0}, []float64{1, -1}), 0},
		{"below it", of(one, []float64{-100, 0}, []float64{0.999, -0.999}), 0.5},
		{"zeros beside others", of(one, []float64{0, 0}, []float64{0, 1}, []float64{0, 0}), 2.0 / 3},
		{"nothing but zeros", of(one, []float64{0, 0}, []float64{0, 0}), 1},
	} {
		if got := c.f.Sparsity(); math.Abs(got-c.want) > 1e-12 {
			t.Errorf("%s: sparsity %v, want %v", c.name, got, c.want)
		}
	}
}

// orthogonality is the measure by its definition.
func orthogonality(f filterstats.Filters) float64 {
	filters := slices.Collect(slices.Chunk(f.Weights, f.Channels*product(f.Kernel)))
	dot := func(a, b []float64) (sum float64) {
		for i := range a {
			sum += a[i] * b[i]
		}
		return sum
	}
	sum, pairs := 0.0, 0.0
	for i, a := range filters {
		for j, b := range filters {
			if i == j {
				continue
			}
			pairs++
			if norms := math.Sqrt(dot(a, a) * dot(b, b)); norms > 0 {
				sum += math.Abs(dot(a, b)) / norms
			}
		}
	}
	return 1 - sum/pairs
}

func TestOrthogonality(t *testing.T) {
	two, random := []int{2}, draw(1, 300, 2, 3)
	for _, c := range []struct {
		name string
		f    filterstats.Filters
		want float64
	}{
		{"orthogonal", of(two, []float64{3, 0}, []float64{0, 0.1}), 1},
		{"multiples", of(two, []float64{1, 2}, []float64{-2, -4}, []float64{10, 20}), 0},
		{"45 degrees", of(two, []float64{1, 0}, []float64{-2, 2}), 1 - math.Sqrt(0.5)},
		{"one of zeros", of(two, []float64{1, 1}, []float64{0, 0}, []float64{2, 2}), 1 - 1.0/3},
		{"zeros", of(two, []float64{0, 0}, []float64{0, 0}), 1},
		{"over all channels", filterstats.Filters{Kernel: two, Channels: 2, Weights: []float64{1, 0, 1, 0, 1, 0, -1, 0}}, 1},
		{"many", random, orthogonality(random)},
	} {
		if got := c.f.Orthogonality(); !isNear(got, &c.want, 1e-12) {
			t.Errorf("%s: %s, want %v", c.name, text(got), c.want)
		}
	}
	if got := draw(1, 1, 5, 3, 3).Orthogonality(); got != nil {
		t.Errorf("one filter: %v, want none", *got)
	}
}

func TestRelativeError(t *testing.T) {
	f := draw(1, 4, 3, 3, 3)
	scaled := each(f, func(w float64, _, _ int) float64 { return 0.75 * w })
	zero, quarter := 0.0, 0.25
	for _, c := range []struct {
		name      string
		f, source filterstats.Filters
		want      *float64
	}{
		{"equal", f, f, &zero},
		{"three quarters of it", scaled, f, &quarter},
		{"source of zeros", f, each(f, func(float64, int, int) float64 { return 0 }), nil},
		{"another kernel", draw(1, 4, 3, 9), f, nil},
		{"other channels", draw(1, 6, 2, 3, 3), f, nil},
		{"other filters", draw(1, 5, 3, 3, 3), f, nil},
	} {
		if got := filterstats.RelativeError(c.f, c.source); !isNear(got, c.want, 1e-12) {
			t.Errorf("%s: %s, want %s", c.name, text(got), text(c.want))
		}
	}
}
