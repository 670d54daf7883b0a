package projection

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"gonum.org/v1/gonum/blas/blas64"
)

func TestProjectAgainstNaive(t *testing.T) {
	for _, c := range []struct{ o, j, n int }{
		{1, 1, 1}, {1, 1, 9}, {1, 9, 1}, {3, 2, 5}, {3, 5, 2}, {16, 16, 144}, {8, 130, 144}, {8, 160, 144}, {5, 300, 140}, {10, 64, 27},
	} {
		w, r := random(c.o*c.n, 1), random(c.j*c.n, 2)
		found, err := project(w, r, c.o, c.j, c.n)
		if err != nil {
			t.Fatal(err)
		}
		p, relative := found.P, found.Error
		if d := difference(p, naive(w, r, c.o, c.j, c.n)); d > 1e-10 {
			t.Errorf("%+v: differs from the naive solution by %.3g", c, d)
		}
		if want := difference(product(p, r, c.o, c.j, c.n), w); math.Abs(relative-want) > 1e-13 {
			t.Errorf("%+v: relative error is given as %.15g, is %.15g", c, relative, want)
		}
		if spans := c.j >= c.n; spans != (relative < 1e-12) {
			t.Errorf("%+v: relative error is %.3g", c, relative)
		}
	}
}

// TestProjectRecovers has filters that are combinations of the bank's: the error must vanish, and the combination must come
// back.
func TestProjectRecovers(t *testing.T) {
	const o, j, n = 12, 40, 90
	want, r := random(o*j, 3), random(j*n, 4)
	found, err := project(product(want, r, o, j, n), r, o, j, n)
	if err != nil || found.Error > 1e-14 || difference(found.P, want) > 1e-13 {
		t.Errorf("relative error %.3g, P off by %.3g, %v", found.Error, difference(found.P, want), err)
	}
}

// TestProjectBadlyConditioned runs through every number of refinements and beyond what the Gram matrix can do.
func TestProjectBadlyConditioned(t *testing.T) {
	const o, n = 10, 48
	for _, condition := range []float64{1, 10, 1e3, 1e5, 1e6, 1e8, 1e10, 1e12} {
		for _, j := range []int{24, 48, 96} {
			r := stretched(j, n, condition)
			inside := product(random(o*j, 7), r, o, j, n)
			if found, err := project(inside, r, o, j, n); err != nil || found.Error > 1e-12 {
				t.Errorf("condition %g, j = %d: relative error %.3g for filters that the bank spans, %v", condition, j, found.Error, err)
			}
			w := random(o*n, 8)
			found, err := project(w, r, o, j, n)
			if err != nil {
				t.Fatal(err)
			}
			p, relative := found.P, found.Error
			if got := found.Condition; got < condition/2 || got > 8*condition {
				t.Errorf("condition %g, j = %d: it is given as %.3g", condition, j, got)
			}
			if j >= n && condition <= 1e3 && relative > 1e-12 {
				t.Errorf("condition %g, j = %d: relative error %.3g", condition, j, relative)
			}
			checkOptimal(t, w, r, p, o, j, n, 1e-13*max(1, 1e-3*length(p)/length(w)))
		}
	}
}

// checkOptimal checks that the residual is orthogonal to the bank: the gradient -2·(W - P·R)·Rᵀ is zero relative to ‖W‖·‖R‖.
func checkOptimal(t *testing.T, w, r, p []float64, o, j, n int, tolerance float64) {
	t.Helper()
	rest := product(p, r, o, j, n)
	for i := range rest {
		rest[i] = w[i] - rest[i]
	}
	gradient := length(product(rest, flip(r, j, n), o, n, j)) / (length(w) * length(r))
	if gradient > tolerance {
		t.Errorf("gradient is %.3g, want at most %.3g", gradient, tolerance)
	}
}

// TestProjectWithoutFullRank has banks that repeat a few filters and zeros: the smallest solution gives zero weights to
// the zeros and equal weights to equal filters.
func TestProjectWithoutFullRank(t *testing.T) {
	const o, n, zero = 6, 20, -1
	for name, filters := range map[string][]int{ // which of some random filters each filter of the bank is
		"duplicates":                     {0, 1, 2, 3, 1, 4, 1},
		"a zero":                         {0, 1, 2, zero, 3},
		"both":                           {zero, 0, 0, 1, zero},
		"both, more filters than inputs": {0, 1, 2, 3, 0, 1, 2, 3, zero, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3, 0, 1, 2, 3},
		"only zeros":                     {zero, zero},
		"one filter":                     {0, zero, 0, 0},
	} {
		j := len(filters)
		r, distinct := make([]float64, j*n), random(5*n, 9)
		for f, d := range filters {
			if d != zero {
				copy(r[f*n:(f+1)*n], distinct[d*n:])
			}
		}
		w := random(o*n, 10)
		found, err := project(w, r, o, j, n)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		p, relative := found.P, found.Error
		if want := difference(product(p, r, o, j, n), w); math.Abs(relative-want) > 1e-13 {
			t.Errorf("%s: relative error is given as %.15g, is %.15g", name, relative, want)
		}
		for i := range p {
			f, d := i%j, filters[i%j]
			if d == zero && p[i] != 0 {
				t.Errorf("%s: the zero filter %d has the weight %g", name, f, p[i])
			}
			if twin := i - f + slices.Index(filters, d); d != zero && math.Abs(p[i]-p[twin]) > 1e-13 {
				t.Errorf("%s: filter %d has the weight %g, its twin has %g", name, f, p[i], p[twin])
			}
		}
		if length(r) == 0 {
			continue
		}
		if c := found.Condition; !(c >= 1-1e-12 && c < 100) || name == "one filter" && c > 1+1e-12 {
			t.Errorf("%s: the condition number is given as %g", name, c)
		}
		checkOptimal(t, w, r, p, o, j, n, 1e-14)
		inside := product(random(o*j, 11), r, o, j, n)
		if found, err := project(inside, r, o, j, n); err != nil || found.Error > 1e-12 {
			t.Errorf("%s: relative error %.3g for filters that the bank spans, %v", name, found.Error, err)
		}
	}
}

// TestFactorGram compares the factor with the Gram matrix itself, of banks that are wide and high, small and larger than a strip.
// Banks that are too close to singular are refused, and as many corrections are due as bring the error below 1e-13.
func TestFactorGram(t *testing.T) {
	for _, c := range []struct{ j, n int }{{3, 7}, {7, 3}, {130, 140}, {140, 130}, {4, 4}} {
		data := random(c.j*c.n, 21)
		r := blas64.General{Rows: c.j, Cols: c.n, Stride: c.n, Data: data}
		g, ok := factorGram(r)
		size, gram := c.j, product(data, flip(data, c.j, c.n), c.j, c.n, c.j)
		if c.j > c.n {
			size, gram = c.n, product(flip(data, c.j, c.n), data, c.n, c.j, c.n)
		}
		u := make([]float64, size*size)
		for i := range size {
			copy(u[i*size+i:(i+1)*size], g.factor.Data[i*g.factor.Stride+i:])
		}
		if d := difference(product(flip(u, size, size), u, size, size, size), gram); !ok || d > 1e-13 {
			t.Errorf("%+v: UᵀU differs from the Gram matrix by %.3g, %v", c, d, ok)
		}
	}
	for condition, sound := range map[float64]bool{1e2: true, 1e4: true, 1e6: false, 1e8: false} { // squared in the Gram matrix
		bank := stretched(12, 20, condition)
		g, ok := factorGram(blas64.General{Rows: 12, Cols: 20, Stride: 20, Data: bank})
		if ok != sound {
			t.Errorf("a bank of condition %g counts as sound: %v", condition, ok)
		}
		due := 0
		for left := epsilon * g.condition; ok && left > 1e-13; left *= epsilon * g.condition {
			due++
		}
		if ok && g.refinements() != due {
			t.Errorf("condition %g: %d corrections, want %d", condition, g.refinements(), due)
		}
	}
	if _, ok := factorGram(blas64.General{Rows: 2, Cols: 2, Stride: 2, Data: []float64{1, 2, 2, 4}}); ok {
		t.Error("a singular bank counts as sound")
	}
}

// TestProjectExtremes has numbers at the edges, the ones whose squares leave the range of a float64 included.
func TestProjectExtremes(t *testing.T) {
	const o, j, n = 3, 4, 7
	for _, c := range []struct {
		name            string
		wScale, rScale  float64
		relative, error bool // whether a relative error between 0 and 1 is due, or an error
	}{
		{"zero filters", 0, 1, false, false},
		{"large bank", 1, 1e200, true, false},
		{"small bank", 1, 1e-200, true, false},
		{"large filters", 1e200, 1, true, false},
		{"small filters", 1e-200, 1, true, false},
		{"quotient too large", 1e200, 1e-200, false, true},
		{"infinite filters", math.Inf(1), 1, false, true},
		{"undefined bank", 1, math.NaN(), false, true},
	} {
		w, r := random(o*n, 12), random(j*n, 13)
		for i := range w {
			w[i] *= c.wScale
		}
		for i := range r {
			r[i] *= c.rScale
		}
		found, err := project(w, r, o, j, n)
		relative := found.Error
		if c.name == "quotient too large" && (err == nil || !strings.Contains(err.Error(), "too small or too large to calculate with: P holds")) {
			t.Errorf("%s: error %v", c.name, err)
		}
		if (err != nil) != c.error {
			t.Errorf("%s: error %v", c.name, err)
		}
		if (relative > 0 && relative < 1) != c.relative || !c.relative && relative != 0 {
			t.Errorf("%s: relative error %g", c.name, relative)
		}
	}
}

// BenchmarkProject times the largest 3×3 layers of ResNet-50 and, last, a small layer with a large expansion.
func BenchmarkProject(b *testing.B) {
	for _, c := range []struct{ o, j, n int }{{256, 256, 2304}, {512, 512, 4608}, {64, 8192, 576}} {
		b.Run(fmt.Sprintf("%dx%d over %d", c.o, c.n, c.j), func(b *testing.B) {
			w, r := random(c.o*c.n, 1), random(c.j*c.n, 2)
			for b.Loop() {
				if _, err := project(w, r, c.o, c.j, c.n); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
