package filterbank

import (
	"math"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// orthogonal draws one normal matrix [filters of the group × weights of a filter] per group and makes it orthonormal: its rows if
// there are at most as many rows as columns, otherwise its columns. The result is the orthogonal factor of the QR decomposition
// whose R has a positive diagonal (Saxe et al., "Exact solutions to the nonlinear dynamics of learning in deep linear neural
// networks", 2013). Gram-Schmidt computes it directly, here with the same bits on every platform.
func orthogonal(random Stream, spec Spec) drawing {
	rows, columns := spec.Filters/spec.Groups, spec.fanIn()
	bank := make([]float32, spec.Filters*columns)
	for g := range spec.Groups {
		start := g * rows * columns
		vectors := normalVectors(random, start, rows, columns)
		orthonormalize(vectors)
		for i := range rows {
			for j := range columns {
				v, k := orient(i, j, rows, columns)
				bank[start+i*columns+j] = float32(vectors[v][k])
			}
		}
	}
	return func(out []float32, from int) { copy(out, bank[from:]) }
}

// orient maps element (i, j) of a matrix to element k of vector v. The vectors are the rows or the columns, whichever are fewer.
func orient(i, j, rows, columns int) (v, k int) {
	if rows <= columns {
		return i, j
	}
	return j, i
}

// normalVectors draws a rows × columns matrix, starting at index start of the stream, and returns its vectors as orient numbers
// them.
func normalVectors(random Stream, start, rows, columns int) [][]float64 {
	vectors := make([][]float64, min(rows, columns))
	for v := range vectors {
		vectors[v] = make([]float64, max(rows, columns))
	}
	for i := range rows {
		for j := range columns {
			v, k := orient(i, j, rows, columns)
			vectors[v][k] = random.normal(uint32(start + i*columns + j))
		}
	}
	return vectors
}

// gramSchmidtPanel is how many finished vectors are projected out of the later ones at a time; so many fit into the processor's
// cache.
const gramSchmidtPanel = 16

// orthonormalize is the modified Gram-Schmidt process, in place and panel by panel. Finished vectors are projected out of each
// later vector in the same order, whichever thread does it, so the result does not depend on the number of threads.
func orthonormalize(vectors [][]float64) {
	for len(vectors) > 0 {
		panel := vectors[:min(gramSchmidtPanel, len(vectors))]
		for i, v := range panel {
			project(v, panel[:i])
			norm := math.Sqrt(dot(v, v))
			for k := range v {
				v[k] /= norm
			}
		}
		vectors = vectors[len(panel):]
		budget.OnAllCores(len(vectors), func(i int) { project(vectors[i], panel) })
	}
}

// project removes from v its components along the given orthonormal vectors.
func project(v []float64, orthonormal [][]float64) {
	for _, q := range orthonormal {
		q = q[:len(v)]
		d := dot(q, v)
		for k := range v {
			v[k] -= float64(d * q[k])
		}
	}
}

// dot returns the inner product, summed in an order that does not depend on the processor.
func dot(a, b []float64) float64 {
	var s0, s1, s2, s3 float64
	for len(a) >= 4 && len(b) >= 4 {
		s0 += float64(a[0] * b[0])
		s1 += float64(a[1] * b[1])
		s2 += float64(a[2] * b[2])
		s3 += float64(a[3] * b[3])
		a, b = a[4:], b[4:]
	}
	for k := range a {
		s0 += float64(a[k] * b[k])
	}
	return s0 + s1 + (s2 + s3)
}
