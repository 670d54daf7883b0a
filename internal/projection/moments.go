package projection

import (
	"errors"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/blas64"
	"gonum.org/v1/gonum/lapack/lapack64"

	"github.com/rcfreeze/rcfreeze/internal/budget"
)

// Moments are statistics of data for one convolution with filters W [groups·o × n], by group. At each position of each image, a
// filter reads n numbers u, and y holds the desired outputs of the group's filters. y differs from W·u by d, for example because
// y comes from another network.
type Moments struct {
	Groups, O, N int

	Positions float64 // number of positions: the weight of these moments in Plus

	Inputs  []float64 // [groups × n × n]: mean of u·uᵀ
	Cross   []float64 // [groups × o × n]: mean of d·uᵀ
	Input   []float64 // [groups × n]: mean of u
	Shift   []float64 // [groups × o]: mean of d
	Squares []float64 // [groups × o]: mean of d²
	Output  []float64 // [groups × o]: mean of y
	Energy  []float64 // [groups × o]: mean of y²
}

// check lists what is wrong with the moments.
func (m Moments) check() error {
	var faults []error
	for _, part := range []struct {
		name          string
		data          []float64
		rows, columns int
	}{
		{"the moments of the inputs", m.Inputs, m.N, m.N}, {"the moments of outputs and inputs", m.Cross, m.O, m.N},
		{"the mean input", m.Input, 1, m.N}, {"the mean difference", m.Shift, m.O, 1}, {"the squared difference", m.Squares, m.O, 1},
		{"the mean output", m.Output, m.O, 1}, {"the squared output", m.Energy, m.O, 1},
	} {
		faults = append(faults, layout{problems: m.Groups}.check(part.name, part.data, part.rows, part.columns))
	}
	return errors.Join(faults...)
}

// Plus returns the moments over all positions of two convolutions with the same filters. The zero value has no positions.
func (m Moments) Plus(other Moments) Moments {
	if m.Positions == 0 {
		return other
	}
	share := other.Positions / (m.Positions + other.Positions)
	mix := func(a, b []float64) []float64 {
		mixed := slices.Clone(a)
		for i, v := range b {
			mixed[i] += share * (v - a[i])
		}
		return mixed
	}
	return Moments{Groups: m.Groups, O: m.O, N: m.N, Positions: m.Positions + other.Positions,
		Inputs: mix(m.Inputs, other.Inputs), Cross: mix(m.Cross, other.Cross), Input: mix(m.Input, other.Input), Shift: mix(m.Shift, other.Shift),
		Squares: mix(m.Squares, other.Squares), Output: mix(m.Output, other.Output), Energy: mix(m.Energy, other.Energy)}
}

// Centered returns the moments about the means, for outputs whose means are corrected separately.
func (m Moments) Centered() Moments {
	c := m.moved(-1)
	c.Input, c.Shift, c.Output = make([]float64, len(m.Input)), make([]float64, len(m.Shift)), make([]float64, len(m.Output))
	return c
}

// Uncentered is the inverse of Centered: it returns the moments about 0 if those in m are about its means.
func (m Moments) Uncentered() Moments { return m.moved(1) }

// moved returns the moments with the products of the means added sign times.
func (m Moments) moved(sign float64) Moments {
	c := m
	c.Inputs, c.Cross = slices.Clone(m.Inputs), slices.Clone(m.Cross)
	c.Squares, c.Energy = slices.Clone(m.Squares), slices.Clone(m.Energy)
	for g := range m.Groups {
		u := blas64.Vector{N: m.N, Inc: 1, Data: m.Input[g*m.N:]}
		d := blas64.Vector{N: m.O, Inc: 1, Data: m.Shift[g*m.O:]}
		blas64.Ger(sign, u, u, m.inputs(c.Inputs, g))
		blas64.Ger(sign, d, u, m.filters(c.Cross, g))
	}
	for i := range m.Shift {
		c.Squares[i] += sign * m.Shift[i] * m.Shift[i]
		c.Energy[i] += sign * m.Output[i] * m.Output[i]
	}
	return c
}

func (m Moments) inputs(data []float64, g int) blas64.General {
	return blas64.General{Rows: m.N, Cols: m.N, Stride: m.N, Data: data[g*m.N*m.N:]}
}

func (m Moments) filters(data []float64, g int) blas64.General {
	return blas64.General{Rows: m.O, Cols: m.N, Stride: m.N, Data: data[g*m.O*m.N:]}
}

// OutputError returns √(E‖y - V·u‖² / E‖y‖²) if the filters V replace W, both [groups·o × n]. It is 0 if y is 0.
func (m Moments) OutputError(w, v []float64) (float64, error) {
	l := groupLayout(m.Groups, m.O, 0, m.N)
	if err := errors.Join(m.check(), l.check("W", w, l.o, l.n), l.check("V", v, l.o, l.n)); err != nil {
		return 0, fmt.Errorf("measuring the error of outputs: %w", err)
	}
	// With D = W - V: E‖D·u + d‖² = tr(D·S·Dᵀ) + 2·tr(D·Cᵀ) + E‖d‖², in which nothing large cancels.
	var rest, all float64
	for g := range m.Groups {
		d := clone(l.w(w, g))
		for i := range d.Rows {
			blas64.Axpy(-1, row(l.w(v, g), i), row(d, i))
		}
		ds := zeros(m.O, m.N)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, d, m.inputs(m.Inputs, g), 0, ds)
		for i := range m.O {
			rest += blas64.Dot(row(d, i), row(ds, i)) + 2*blas64.Dot(row(d, i), row(m.filters(m.Cross, g), i)) + m.Squares[g*m.O+i]
			all += m.Energy[g*m.O+i]
		}
	}
	if all <= 0 {
		return 0, nil
	}
	return math.Sqrt(max(rest, 0) / all), nil
}

// Scales returns, for each of the filters V [groups·o × n], the factor that makes its outputs as large as the desired ones: √(E
// y² / E (V·u)²), or 1 if one of the two is 0.
func (m Moments) Scales(v []float64) ([]float64, error) {
	l := groupLayout(m.Groups, m.O, 0, m.N)
	if err := errors.Join(m.check(), l.check("V", v, l.o, l.n)); err != nil {
		return nil, fmt.Errorf("scaling filters: %w", err)
	}
	scales := make([]float64, m.Groups*m.O)
	for g := range m.Groups {
		vs := zeros(m.O, m.N)
		blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, l.w(v, g), m.inputs(m.Inputs, g), 0, vs)
		for i := range m.O {
			want, is := m.Energy[g*m.O+i], blas64.Dot(row(vs, i), row(l.w(v, g), i))
			scales[g*m.O+i] = 1
			if want > 0 && is > 0 {
				scales[g*m.O+i] = math.Sqrt(want / is)
			}
		}
	}
	return scales, nil
}

// Offset returns E[y - V·u] [groups·o] if the filters V replace W: the numbers to add to their outputs.
func (m Moments) Offset(w, v []float64) []float64 {
	offset := slices.Clone(m.Shift)
	for i := range offset {
		for k, u := range m.Input[i/m.O*m.N:][:m.N] {
			offset[i] += (w[i*m.N+k] - v[i*m.N+k]) * u
		}
	}
	return offset
}

// damping is the share of the second moment of each input that Whiten adds to it. leastDamping is the least that it adds, as a
// share of the mean of these moments.
const damping, leastDamping = 1e-4, 1e-6

// Whitened is a problem weighted by moments in a form that ProjectGroups solves: with S = L·Lᵀ, the combined filters V = P·R with the
// least E‖y - V·u‖² are those with the least ‖T - P·(R·L)‖ for T = (W·S + C)·L⁻ᵀ.
//
// S is damped, so that inputs for which there is little data do not cause large weights: the problem also minimizes Σᵢ λᵢ·‖Wᵢ -
// Vᵢ‖² over the columns of the filters. This term alone would give a plain projection.
type Whitened struct {
	Target []float64 // T [groups·o × n]

	moments Moments
	factors []blas64.Triangular // L, as the upper triangle of Lᵀ, by group
}

// Whiten returns the weighted problem for the filters W [groups·o × n].
func (m Moments) Whiten(w []float64) (*Whitened, error) {
	l := groupLayout(m.Groups, m.O, 0, m.N)
	if err := errors.Join(m.check(), l.check("W", w, l.o, l.n)); err != nil {
		return nil, fmt.Errorf("weighting filters by data: %w", err)
	}
	p := &Whitened{slices.Clone(m.Cross), m, make([]blas64.Triangular, m.Groups)}
	ok := make([]bool, m.Groups)
	l.problems = m.Groups
	budget.OnAllCores(l.problems, func(g int) { p.factors[g], ok[g] = m.whiten(l.w(w, g), l.w(p.Target, g), g) })
	if slices.Contains(ok, false) {
		return nil, errors.New("weighting filters by data: the moments of the inputs are not positive definite")
	}
	return p, nil
}

// whiten returns the factor of a group's damped moments and makes its target.
func (m Moments) whiten(w, target blas64.General, g int) (blas64.Triangular, bool) {
	s := clone(m.inputs(m.Inputs, g))
	trace := 0.0
	for i := range s.Rows {
		trace += s.Data[i*s.Stride+i]
	}
	least := leastDamping * trace / float64(m.N)
	if !(least > 0) {
		least = 1 // all inputs are 0
	}
	for i := range s.Rows {
		s.Data[i*s.Stride+i] += damping*s.Data[i*s.Stride+i] + least
	}
	blas64.Gemm(blas.NoTrans, blas.NoTrans, 1, w, s, 1, target)
	factor, ok := lapack64.Potrf(blas64.Symmetric{N: s.Rows, Stride: s.Stride, Data: s.Data, Uplo: blas.Upper})
	if ok {
		blas64.Trsm(blas.Right, blas.NoTrans, 1, factor, target) // T·Lᵀ = W·S + C
	}
	return factor, ok
}

// Bank returns R·L for a bank R of j filters per group [groups·j × n].
func (p *Whitened) Bank(r []float64, j int) ([]float64, error) {
	l := groupLayout(p.moments.Groups, p.moments.O, j, p.moments.N)
	if err := l.check("R", r, l.j, l.n); err != nil {
		return nil, fmt.Errorf("weighting a bank by data: %w", err)
	}
	out := slices.Clone(r)
	budget.OnAllCores(l.problems, func(g int) { blas64.Trmm(blas.Right, blas.Trans, 1, p.factors[g], l.r(out, g)) })
	return out, nil
}
