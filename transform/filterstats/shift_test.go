package filterstats_test

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// statsOf measures a model of layers with these filters.
func statsOf(t *testing.T, layers ...filterstats.Filters) *filterstats.Stats {
	t.Helper()
	m := newModel()
	for i, f := range layers {
		conv(t, m, string(rune('a'+i)), f)
	}
	return measure(t, m)
}

// shift is the shift by its definition.
func shift(a, b []filterstats.Filters) float64 {
	var models [2][][]float64
	for i, layers := range [][]filterstats.Filters{a, b} {
		for _, f := range layers {
			for _, kernel := range rows(f) {
				scaled, peak := slices.Clone(kernel), 0.0
				for _, w := range kernel {
					peak = max(peak, math.Abs(w))
				}
				for k := range scaled {
					scaled[k] /= peak
				}
				models[i] = append(models[i], scaled)
			}
		}
	}
	mean, sums := covariance(slices.Concat(models[0], models[1]))
	values, vectors := jacobi(sums)
	coefficient := func(kernel, vector []float64) (c float64) {
		for i := range kernel {
			c += (kernel[i] - mean[i]) * vector[i]
		}
		return c
	}
	most, all := 0.0, 0.0
	for i, v := range vectors {
		all += values[i]
		for _, kernels := range models {
			for _, k := range kernels {
				most = max(most, math.Abs(coefficient(k, v)))
			}
		}
	}
	total := 0.0
	for i, v := range vectors {
		var h [2][70]float64
		for m, kernels := range models {
			for bin := range h[m] {
				low := -most + 2*most*float64(bin)/70
				for _, k := range kernels {
					if c := coefficient(k, v); c >= low && (c < low+2*most/70 || bin == 69) {
						h[m][bin] += 70 / (2 * most) / float64(len(kernels))
					}
				}
				h[m][bin] = max(h[m][bin], 0x1p-23)
			}
			sum := 0.0
			for _, x := range h[m] {
				sum += x
			}
			for bin := range h[m] {
				h[m][bin] /= sum
			}
		}
		for bin, p := range h[0] {
			q := h[1][bin]
			total += values[i] / all * (p - q) * math.Log(p/q)
		}
	}
	return total
}

// similar returns kernels that differ little from each other.
func similar(f filterstats.Filters) filterstats.Filters {
	return each(f, func(w float64, tap, _ int) float64 { return float64(tap+1) + w/100 })
}

func negative(f filterstats.Filters) filterstats.Filters {
	return each(f, func(w float64, _, _ int) float64 { return -w })
}

func TestShift(t *testing.T) {
	random, more, line := draw(1, 32, 16, 3, 3), draw(2, 16, 8, 3, 3), draw(3, 8, 8, 5)
	smooth := each(draw(4, 32, 16, 3, 3), func(w float64, tap, _ int) float64 { return (w + 0.5) / (1 + math.Abs(float64(tap-4))) })
	for _, c := range []struct {
		name string
		a, b []filterstats.Filters
	}{
		{"random and other random", []filterstats.Filters{random}, []filterstats.Filters{more}},
		{"random and concentrated", []filterstats.Filters{random, more}, []filterstats.Filters{smooth}},
		{"nearly equal", []filterstats.Filters{similar(draw(5, 4, 4, 3, 3))}, []filterstats.Filters{similar(draw(6, 4, 4, 3, 3))}},
		{"as many of either sign", []filterstats.Filters{random, negative(random)}, []filterstats.Filters{more, negative(more)}},
	} {
		want := shift(c.a, c.b)
		for _, layers := range [][2][]filterstats.Filters{{c.a, append([]filterstats.Filters{line}, c.b...)}, {c.b, c.a}} {
			d, err := filterstats.Shift(statsOf(t, layers[0]...), statsOf(t, layers[1]...))
			if err != nil {
				t.Fatal(err)
			}
			if !isNear(d.Shift, &want, 1e-9) {
				t.Errorf("%s: shift %s, want %v", c.name, text(d.Shift), want)
			}
			shares, sum := 0.0, 0.0
			for i, part := range d.Components {
				shares, sum = shares+part.Variance, sum+part.Variance*part.KL
				if i > 0 && part.Variance > d.Components[i-1].Variance {
					t.Errorf("%s: component %d has more variance than the one before", c.name, i+1)
				}
			}
			if len(d.Components) != 9 || math.Abs(shares-1) > 1e-12 || math.Abs(sum-want) > 1e-9 {
				t.Errorf("%s: %d components, which explain %v of the variance, with a shift of %v", c.name, len(d.Components), shares, sum)
			}
		}
	}
	near, far := shift([]filterstats.Filters{random}, []filterstats.Filters{draw(5, 32, 16, 3, 3)}), shift([]filterstats.Filters{random}, []filterstats.Filters{smooth})
	if far < 3*near {
		t.Errorf("random filters differ from concentrated ones by %v, from random ones by %v", far, near)
	}
}

// TestShiftOfEqualDistributions compares a model with what has the same kernels, up to their order and scale.
func TestShiftOfEqualDistributions(t *testing.T) {
	f := draw(1, 16, 16, 3, 3)
	reversed := rows(f)
	slices.Reverse(reversed)
	halves := []filterstats.Filters{of(f.Kernel, reversed[:100]...), of(f.Kernel, reversed[100:]...)}
	zero := each(f, func(w float64, _, kernel int) float64 { return 0 })
	flat := each(f, func(w float64, tap, _ int) float64 { return w * float64(tap%3%2) })
	for name, pair := range map[string][2][]filterstats.Filters{
		"itself":          {{f}, {f}},
		"other order":     {{f}, halves},
		"other scales":    {{f}, {each(f, func(w float64, _, kernel int) float64 { return w * float64(1+kernel) })}},
		"twice as many":   {{f}, append(halves, f)},
		"zeros":           {{zero}, {zero}},
		"few directions":  {{flat}, {flat}},
		"one number each": {{each(zero, func(float64, int, int) float64 { return 2 })}, {each(zero, func(float64, int, int) float64 { return 3 })}},
	} {
		d, err := filterstats.Shift(statsOf(t, pair[0]...), statsOf(t, pair[1]...))
		if err != nil || d.Shift == nil || !(*d.Shift <= 1e-9) {
			t.Fatalf("%s: shift %+v, %v, want 0", name, d, err)
		}
		for _, part := range d.Components {
			if !(part.Variance >= 0 && part.KL >= 0) {
				t.Errorf("%s: a component has %v of the variance, and a divergence of %v", name, part.Variance, part.KL)
			}
		}
	}
}

// TestNoShift has models without 3×3 kernels.
func TestNoShift(t *testing.T) {
	with, without := statsOf(t, draw(1, 4, 4, 3, 3)), statsOf(t, draw(1, 4, 4, 5, 5), draw(2, 4, 4, 3), draw(3, 4, 4, 3, 3, 3))
	for _, pair := range [][2]*filterstats.Stats{{with, without}, {without, with}, {without, without}} {
		if d, err := filterstats.Shift(pair[0], pair[1]); err != nil || d.Shift != nil {
			t.Errorf("shift %+v, %v, want none", d, err)
		}
	}
	if d, err := filterstats.Shift(with, without); err != nil || d.KernelsA != 16 || d.KernelsB != 0 {
		t.Errorf("%+v, %v", d, err)
	}
}

// TestSharedKernelsCountOnce compares a model with itself where two layers share a weight.
func TestSharedKernelsCountOnce(t *testing.T) {
	m := newModel()
	first := conv(t, m, "first", draw(1, 4, 2, 3, 3))
	add(t, m, "Conv", "second", 1, first.Input(1), 2, 2)
	d, err := filterstats.Shift(measure(t, m), measure(t, m))
	if err != nil || d.KernelsA != 8 || d.KernelsB != 8 {
		t.Errorf("%+v, %v, want 8 kernels each", d, err)
	}
}
