package projection

import (
	"math"
	"math/rand/v2"
	"slices"
)

// project is ProjectGroups for one group.
func project(w, r []float64, o, j, n int) (Solution, error) { return ProjectGroups(w, r, 1, o, j, n) }

// combine is CombineGroups for one group.
func combine(p, r []float64, o, j, n int) ([]float64, error) { return CombineGroups(p, r, 1, o, j, n) }

// random returns n numbers uniform in [-1, 1].
func random(n int, seed uint64) []float64 {
	source := rand.New(rand.NewPCG(seed, 0))
	x := make([]float64, n)
	for i := range x {
		x[i] = 2*source.Float64() - 1
	}
	return x
}

// product returns a [m × k] times b [k × n].
func product(a, b []float64, m, k, n int) []float64 {
	c := make([]float64, m*n)
	for i := range m {
		for l := range k {
			for j := range n {
				c[i*n+j] += a[i*k+l] * b[l*n+j]
			}
		}
	}
	return c
}

// flip returns the transpose of a [m × n].
func flip(a []float64, m, n int) []float64 {
	t := make([]float64, m*n)
	for i := range m {
		for j := range n {
			t[j*m+i] = a[i*n+j]
		}
	}
	return t
}

// difference returns ‖a - b‖ / ‖b‖.
func difference(a, b []float64) float64 {
	d := slices.Clone(a)
	for i := range d {
		d[i] -= b[i]
	}
	return length(d) / length(b)
}

func length(a []float64) float64 {
	sum := 0.0
	for _, v := range a {
		sum += v * v
	}
	return math.Sqrt(sum)
}

// divide solves x·g = b for b [m × n] by Gauss-Jordan elimination with pivoting.
func divide(b, g []float64, m, n int) []float64 {
	a, x := flip(g, n, n), flip(b, m, n) // gᵀ·xᵀ = bᵀ
	for c := range n {
		pivot := c
		for r := c; r < n; r++ {
			if math.Abs(a[r*n+c]) > math.Abs(a[pivot*n+c]) {
				pivot = r
			}
		}
		for k := range n {
			a[c*n+k], a[pivot*n+k] = a[pivot*n+k], a[c*n+k]
		}
		for k := range m {
			x[c*m+k], x[pivot*m+k] = x[pivot*m+k], x[c*m+k]
		}
		for r := range n {
			if r == c {
				continue
			}
			f := a[r*n+c] / a[c*n+c]
			for k := range n {
				a[r*n+k] -= f * a[c*n+k]
			}
			for k := range m {
				x[r*m+k] -= f * x[c*m+k]
			}
		}
	}
	for r := range n {
		for k := range m {
			x[r*m+k] /= a[r*n+r]
		}
	}
	return flip(x, n, m)
}

// naive is w·r⁺ from the textbook's normal equations, for an r of full rank.
func naive(w, r []float64, o, j, n int) []float64 {
	t := flip(r, j, n)
	if j <= n {
		return divide(product(w, t, o, n, j), product(r, t, j, n, j), o, j)
	}
	return product(divide(w, product(t, r, n, j, n), o, n), t, o, n, j)
}

// stretched returns a bank whose singular values fall geometrically from 1 to 1/condition: orthonormal columns or rows on
// both sides of a diagonal.
func stretched(j, n int, condition float64) []float64 {
	size := min(j, n)
	left, right := orthonormal(size, j, 5), orthonormal(size, n, 6)
	for s := range size {
		for k := range n {
			right[s*n+k] *= math.Pow(condition, -float64(s)/float64(size-1))
		}
	}
	return product(flip(left, size, j), right, j, size, n)
}

// orthonormal returns rows × columns numbers with orthonormal rows, by Gram-Schmidt, twice.
func orthonormal(rows, columns int, seed uint64) []float64 {
	q := random(rows*columns, seed)
	for i := range rows {
		v := q[i*columns : (i+1)*columns]
		for range 2 {
			for l := range i {
				d := product(v, q[l*columns:], 1, columns, 1)[0]
				for k := range v {
					v[k] -= d * q[l*columns+k]
				}
			}
		}
		norm := length(v)
		for k := range v {
			v[k] /= norm
		}
	}
	return q
}
