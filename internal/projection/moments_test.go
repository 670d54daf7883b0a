package projection

import (
	"math"
	"slices"
	"strings"
	"testing"
)

// sample returns the moments of random inputs of very different sizes, and the inputs and differences themselves: u [count ×
// n] and d [count × o] of each group.
func sample(groups, o, n, count int, w []float64) (m Moments, us, ds [][]float64) {
	for g := range groups {
		u, d := random(count*n, uint64(20+g)), random(count*o, uint64(40+g))
		for i := range u {
			u[i] = (u[i] + 0.3) / float64(1+i%n)
		}
		us, ds = append(us, u), append(ds, d)
	}
	return momentsOf(groups, o, n, w, func(g int) (u, d []float64) { return us[g], ds[g] }), us, ds
}

// momentsOf returns the moments of given inputs and differences, by their definition.
func momentsOf(groups, o, n int, w []float64, data func(g int) (u, d []float64)) Moments {
	m := Moments{Groups: groups, O: o, N: n,
		Inputs: make([]float64, groups*n*n), Cross: make([]float64, groups*o*n), Input: make([]float64, groups*n),
		Shift: make([]float64, groups*o), Squares: make([]float64, groups*o), Output: make([]float64, groups*o), Energy: make([]float64, groups*o)}
	for g := range groups {
		u, d := data(g)
		count := len(u) / n
		y := product(u, flip(w[g*o*n:(g+1)*o*n], o, n), count, n, o)
		for s := range count {
			x := u[s*n : (s+1)*n]
			for i := range n {
				m.Input[g*n+i] += x[i] / float64(count)
				for k := range n {
					m.Inputs[(g*n+i)*n+k] += x[i] * x[k] / float64(count)
				}
			}
			for i := range o {
				delta := d[s*o+i]
				out := y[s*o+i] + delta
				m.Shift[g*o+i] += delta / float64(count)
				m.Squares[g*o+i] += delta * delta / float64(count)
				m.Output[g*o+i] += out / float64(count)
				m.Energy[g*o+i] += out * out / float64(count)
				for k := range n {
					m.Cross[(g*o+i)*n+k] += delta * x[k] / float64(count)
				}
			}
		}
	}
	return m
}

// TestWeightedProjection looks for better weights than the whitened problem has, by steps into every direction, and compares
// the error of the output with its definition.
func TestWeightedProjection(t *testing.T) {
	const groups, o, j, n, count = 2, 3, 4, 9, 200
	w, r := random(groups*o*n, 1), random(groups*j*n, 2)
	raw, us, ds := sample(groups, o, n, count, w)
	for name, m := range map[string]Moments{"raw": raw, "centered": raw.Centered()} {
		p, err := weighted(m, w, r, j)
		if err != nil {
			t.Fatal(err)
		}
		objective := func(p []float64) float64 { // with the damping, by the definition
			sum := 0.0
			for g := range groups {
				v := product(p[g*o*j:(g+1)*o*j], r[g*j*n:(g+1)*j*n], o, j, n)
				wg := w[g*o*n : (g+1)*o*n]
				e := left(us[g], ds[g], wg, v, o, n, count, name == "centered")
				trace := 0.0
				for i := range n {
					trace += m.Inputs[(g*n+i)*n+i]
				}
				sum += dotted(e, e) / count
				for k, x := range minus(wg, v) {
					sum += (damping*m.Inputs[(g*n+k%n)*n+k%n] + leastDamping*trace/n) * x * x
				}
			}
			return sum
		}
		least := objective(p)
		for i := range p {
			for _, step := range []float64{-1e-3, 1e-3} {
				q := slices.Clone(p)
				q[i] += step
				if other := objective(q); other <= least {
					t.Errorf("%s: weight %d: a step of %g brings %.12g down to %.12g", name, i, step, least, other)
				}
			}
		}
		checkError(t, name, m, w, r, p, us, ds, j, count)
	}
}

// weighted solves the weighted problem.
func weighted(m Moments, w, r []float64, j int) ([]float64, error) {
	white, err := m.Whiten(w)
	if err != nil {
		return nil, err
	}
	bank, err := white.Bank(r, j)
	if err != nil {
		return nil, err
	}
	found, err := ProjectGroups(white.Target, bank, m.Groups, m.O, j, m.N)
	return found.P, err
}

func checkError(t *testing.T, name string, m Moments, w, r, p []float64, us, ds [][]float64, j, count int) {
	t.Helper()
	v, err := CombineGroups(p, r, m.Groups, m.O, j, m.N)
	if err != nil {
		t.Fatal(err)
	}
	got, err := m.OutputError(w, v)
	if err != nil {
		t.Fatal(err)
	}
	rest, all := 0.0, 0.0
	size := m.O * m.N
	for g := range m.Groups {
		e := left(us[g], ds[g], w[g*size:(g+1)*size], v[g*size:(g+1)*size], m.O, m.N, count, name == "centered")
		y := left(us[g], ds[g], w[g*size:(g+1)*size], make([]float64, size), m.O, m.N, count, name == "centered")
		rest, all = rest+dotted(e, e), all+dotted(y, y)
	}
	if want := math.Sqrt(rest / all); math.Abs(got-want) > 1e-12 {
		t.Errorf("%s: the output error is %.15g, want %.15g", name, got, want)
	}
	offset := m.Offset(w, v)
	for i := range offset {
		g, out := i/m.O, i%m.O
		e := left(us[g], ds[g], w[g*size:(g+1)*size], v[g*size:(g+1)*size], m.O, m.N, count, false)
		mean := 0.0
		for s := range count {
			mean += e[s*m.O+out] / float64(count)
		}
		if name == "raw" && math.Abs(offset[i]-mean) > 1e-13 {
			t.Errorf("the offset of output %d is %v, want %v", i, offset[i], mean)
		}
	}
}

// left returns d + (w - v)·u [count × o], less its mean over the samples if asked to.
func left(u, d, w, v []float64, o, n, count int, centered bool) []float64 {
	e := product(u, flip(minus(w, v), o, n), count, n, o)
	for i := range e {
		e[i] += d[i]
	}
	for out := range o {
		mean := 0.0
		for s := 0; centered && s < count; s++ {
			mean += e[s*o+out] / float64(count)
		}
		for s := range count {
			e[s*o+out] -= mean
		}
	}
	return e
}

func minus(a, b []float64) []float64 {
	c := slices.Clone(a)
	for i := range c {
		c[i] -= b[i]
	}
	return c
}

func dotted(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return sum
}

// TestWeightedProjectionWithoutData has moments that say nothing: what comes out is the plain projection.
func TestWeightedProjectionWithoutData(t *testing.T) {
	const o, j, n = 3, 4, 9
	w, r := random(o*n, 1), random(j*n, 2)
	m, _, _ := sample(1, o, n, 1, make([]float64, o*n))
	for _, part := range [][]float64{m.Inputs, m.Cross, m.Input, m.Shift, m.Squares, m.Output, m.Energy} {
		clear(part)
	}
	p, err := weighted(m, w, r, j)
	if err != nil {
		t.Fatal(err)
	}
	plain, _ := project(w, r, o, j, n)
	if d := difference(p, plain.P); d > 1e-12 {
		t.Errorf("differs from the plain projection by %.3g", d)
	}
	if e, err := m.OutputError(w, make([]float64, o*n)); e != 0 || err != nil {
		t.Errorf("the error of outputs that are 0 is %v, %v", e, err)
	}
}

// TestMomentsAreChecked lists all parts that are missing or no numbers.
func TestMomentsAreChecked(t *testing.T) {
	m, _, _ := sample(2, 3, 4, 10, make([]float64, 24))
	m.Cross, m.Input[1] = m.Cross[1:], math.NaN()
	_, err := m.Whiten(make([]float64, 23))
	_, errError := m.OutputError(make([]float64, 23), make([]float64, 25))
	_, errScales := m.Scales(make([]float64, 25))
	for _, c := range []struct {
		err   error
		parts []string
	}{
		{err, []string{"outputs and inputs has 23", "mean input holds NaN", "W has 23"}},
		{errError, []string{"measuring the error of outputs: ", "outputs and inputs has 23", "mean input holds NaN", "W has 23", "V has 25"}},
		{errScales, []string{"scaling filters: ", "outputs and inputs has 23", "mean input holds NaN", "V has 25"}},
	} {
		for _, part := range c.parts {
			if c.err == nil || !strings.Contains(c.err.Error(), part) {
				t.Errorf("error %v, want it to name %q", c.err, part)
			}
		}
	}
	sound, _, _ := sample(2, 3, 4, 10, make([]float64, 24))
	white, err := sound.Whiten(make([]float64, 24))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := white.Bank(make([]float64, 7), 1); err == nil || !strings.Contains(err.Error(), "R has 7 numbers, needs 2 × 1 × 4") {
		t.Errorf("a bank of 7 numbers: %v", err)
	}
	negative, _, _ := sample(1, 1, 2, 3, make([]float64, 2))
	negative.Inputs = []float64{1, 5, 5, 1}
	if _, err := negative.Whiten([]float64{1, 2}); err == nil {
		t.Error("no error for moments that are none")
	}
}

// TestPlus compares the moments of two parts of a sample, taken together, with those of the whole.
func TestPlus(t *testing.T) {
	const groups, o, n, count, first = 2, 3, 4, 50, 20
	w := random(groups*o*n, 1)
	whole, us, ds := sample(groups, o, n, count, w)
	whole.Positions = count
	part := func(from, to int) Moments {
		m := momentsOf(groups, o, n, w, func(g int) (u, d []float64) { return us[g][from*n : to*n], ds[g][from*o : to*o] })
		m.Positions = float64(to - from)
		return m
	}
	a, b := part(0, first), part(first, count)
	before := part(0, first)
	checkMoments(t, "both parts", a.Plus(b), whole)
	checkMoments(t, "the first part afterwards", a, before)
	checkMoments(t, "nothing and a part", Moments{}.Plus(b), b)
	checkMoments(t, "one part after the other", Moments{}.Plus(b).Plus(a), whole)
	checkMoments(t, "centered and back", withMeans(whole.Centered(), whole).Uncentered(), whole)
}

// withMeans returns m with the means of other.
func withMeans(m, other Moments) Moments {
	m.Input, m.Shift, m.Output = other.Input, other.Shift, other.Output
	return m
}

func checkMoments(t *testing.T, name string, got, want Moments) {
	t.Helper()
	if got.Groups != want.Groups || got.O != want.O || got.N != want.N || got.Positions != want.Positions {
		t.Errorf("%s: got sizes %d, %d, %d of %v positions, want %d, %d, %d of %v", name, got.Groups, got.O, got.N, got.Positions,
			want.Groups, want.O, want.N, want.Positions)
	}
	for part, pair := range map[string][2][]float64{
		"Inputs": {got.Inputs, want.Inputs}, "Cross": {got.Cross, want.Cross}, "Input": {got.Input, want.Input}, "Shift": {got.Shift, want.Shift},
		"Squares": {got.Squares, want.Squares}, "Output": {got.Output, want.Output}, "Energy": {got.Energy, want.Energy},
	} {
		if len(pair[0]) != len(pair[1]) || difference(pair[0], pair[1]) > 1e-13 {
			t.Errorf("%s: %s is %v, want %v", name, part, pair[0], pair[1])
		}
	}
}

// TestScales compares with the sizes of the outputs themselves. Filters that give nothing, and outputs that are to be
// nothing, are left as they are.
func TestScales(t *testing.T) {
	const groups, o, n, count = 2, 3, 4, 50
	w, v := random(groups*o*n, 1), random(groups*o*n, 2)
	clear(v[n : 2*n])
	m, us, ds := sample(groups, o, n, count, w)
	m.Energy[5] = 0
	scales, err := m.Scales(v)
	if err != nil {
		t.Fatal(err)
	}
	for g := range groups {
		y := left(us[g], ds[g], w[g*o*n:][:o*n], make([]float64, o*n), o, n, count, false)
		out := product(us[g], flip(v[g*o*n:][:o*n], o, n), count, n, o)
		for i := range o {
			want, is := 0.0, 0.0
			for s := range count {
				want, is = want+y[s*o+i]*y[s*o+i], is+out[s*o+i]*out[s*o+i]
			}
			scale := math.Sqrt(want / is)
			if f := g*o + i; f == 1 || f == 5 {
				scale = 1
			}
			if got := scales[g*o+i]; math.Abs(got-scale) > 1e-12*scale {
				t.Errorf("filter %d is scaled by %v, want %v", g*o+i, got, scale)
			}
		}
	}
}

// TestSmallOutputs measures outputs and filters whose squares are small, which must not count as none.
func TestSmallOutputs(t *testing.T) {
	m, _, _ := sample(1, 1, 2, 10, []float64{1e-9, 1e-9})
	for _, part := range [][]float64{m.Cross, m.Shift} {
		clear(part)
	}
	m.Squares[0], m.Energy[0] = 1e-24, 1e-18
	if e, err := m.OutputError([]float64{1, 2}, []float64{1, 2}); err != nil || math.Abs(e-1e-3) > 1e-15 {
		t.Errorf("the error is %v, want 0.001, %v", e, err)
	}
	v := []float64{1e-9, 0}
	scales, err := m.Scales(v)
	if want := math.Sqrt(1e-18 / (1e-18 * m.Inputs[0])); err != nil || math.Abs(scales[0]-want) > 1e-12*want {
		t.Errorf("the scale is %v, want %v, %v", scales, want, err)
	}
}

// TestInputsThatAreNearlyOne has two inputs that are always the same, and outputs that, by a little noise, seem to depend on their
// difference. The weights stay small, where those that fit the noise as well are ±100.
func TestInputsThatAreNearlyOne(t *testing.T) {
	const noise = 1e-4
	m := Moments{Groups: 1, O: 1, N: 2, Positions: 100,
		Inputs: []float64{1, 1, 1, 1}, Cross: []float64{1 + noise, 1 - noise}, Input: []float64{0, 0},
		Shift: []float64{0}, Squares: []float64{1}, Output: []float64{0}, Energy: []float64{1}}
	for _, size := range []float64{1e-3, 1, 1e3} { // of the inputs
		scaled := m
		scaled.Inputs, scaled.Cross = slices.Clone(m.Inputs), slices.Clone(m.Cross)
		for i := range scaled.Inputs {
			scaled.Inputs[i] *= size * size
		}
		for i := range scaled.Cross {
			scaled.Cross[i] *= size
		}
		p, err := weighted(scaled, []float64{0, 0}, []float64{1, 0, 0, 1}, 2)
		if err != nil {
			t.Fatal(err)
		}
		if sum, apart := (p[0]+p[1])*size, math.Abs(p[0]-p[1])*size; math.Abs(sum-1) > 1e-3 || apart > 2.1 {
			t.Errorf("inputs of size %g: weights %v", size, p)
		}
	}
}
