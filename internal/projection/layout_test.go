package projection

import (
	"math"
	"strings"
	"testing"
)

// TestLayouts compares the functions for many problems with Project and Combine for each one.
func TestLayouts(t *testing.T) {
	const count, o, n = 7, 5, 9
	for _, j := range []int{4, 16} {
		w, r := random(count*o*n, 1), random(count*j*n, 2)
		squares, worst := 0.0, 0.0
		pieces := make([][]float64, count)
		for i := range pieces {
			found, err := project(w[i*o*n:(i+1)*o*n], r[i*j*n:(i+1)*j*n], o, j, n)
			if err != nil {
				t.Fatal(err)
			}
			p := found.P
			worst = max(worst, found.Condition)
			pieces[i] = p
			rest := product(p, r[i*j*n:], o, j, n)
			for k := range rest {
				rest[k] -= w[i*o*n+k]
			}
			squares += length(rest) * length(rest)
		}
		wantError := math.Sqrt(squares) / length(w)

		grouped, err := ProjectGroups(w, r, count, o, j, n)
		p := grouped.P
		if err != nil || math.Abs(grouped.Error-wantError) > 1e-13 || grouped.Condition != worst {
			t.Errorf("groups: relative error %g, want %g; condition %g, want %g; %v", grouped.Error, wantError, grouped.Condition, worst, err)
		}
		combined, err := CombineGroups(p, r, count, o, j, n)
		if err != nil {
			t.Fatal(err)
		}
		// The same problems side by side: row f of the channel layout is row f of every problem.
		beside := func(data []float64, columns int) []float64 { return interleave(data, count, o, columns) }
		channels, err := ProjectChannels(beside(w, n), r, count, o, j, n)
		byChannel := channels.P
		if err != nil || math.Abs(channels.Error-wantError) > 1e-13 || channels.Condition != worst {
			t.Errorf("channels: relative error %g, want %g; condition %g, want %g; %v", channels.Error, wantError, channels.Condition, worst, err)
		}
		combinedByChannel, err := CombineChannels(byChannel, r, count, o, j, n)
		if err != nil {
			t.Fatal(err)
		}
		for i, piece := range pieces {
			if d := difference(p[i*o*j:(i+1)*o*j], piece); d > 1e-13 {
				t.Errorf("group %d differs by %g", i, d)
			}
			want := product(piece, r[i*j*n:], o, j, n)
			if d := difference(combined[i*o*n:(i+1)*o*n], want); d > 1e-13 {
				t.Errorf("combined group %d differs by %g", i, d)
			}
		}
		if d := difference(byChannel, beside(p, j)); d > 1e-13 {
			t.Errorf("channels differ from groups by %g", d)
		}
		if d := difference(combinedByChannel, beside(combined, n)); d > 1e-13 {
			t.Errorf("combined channels differ from groups by %g", d)
		}
	}
}

// interleave turns [count × rows × columns] into [rows × count × columns].
func interleave(data []float64, count, rows, columns int) []float64 {
	out := make([]float64, 0, len(data))
	for f := range rows {
		for i := range count {
			start := (i*rows + f) * columns
			out = append(out, data[start:start+columns]...)
		}
	}
	return out
}

func TestCombine(t *testing.T) {
	const o, j, n = 4, 70, 300
	p, r := random(o*j, 1), random(j*n, 2)
	w, err := combine(p, r, o, j, n)
	if want := product(p, r, o, j, n); err != nil || difference(w, want) > 1e-14 {
		t.Errorf("differs from the naive product by %g, %v", difference(w, want), err)
	}
}

func TestBadInput(t *testing.T) {
	x := random(12, 1)
	withNaN := append(random(11, 1), math.NaN())
	for _, c := range []struct {
		name string
		err  error
		want []string
	}{
		{"both lengths", errorOf(project(x, x, 2, 2, 7)), []string{"W has 12 numbers, needs 1 × 2 × 7 = 14", "R has 12 numbers"}},
		{"no rows", errorOf(project(nil, x, 0, 2, 6)), []string{"W has 1 × 0 × 6"}},
		{"negative", errorOf(project(x, x, -2, 2, -6)), []string{"W has 1 × -2 × -6", "R has 1 × 2 × -6"}},
		{"no groups", errorOf(ProjectGroups(nil, nil, 0, 2, 2, 2)), []string{"W has 0 × 2 × 2", "R has 0 × 2 × 2"}},
		{"overflow", errorOf(ProjectChannels(nil, nil, 1<<32, 1<<32, 1, 1)), []string{"W has 0 numbers", "R has 0 numbers"}},
		{"undefined", errorOf(project(x, withNaN, 2, 2, 6)), []string{"R holds NaN at index 11"}},
		{"infinite", errorOf(project([]float64{1, math.Inf(1)}, []float64{1, math.Inf(-1)}, 1, 1, 2)), []string{"W holds +Inf at index 1", "R holds -Inf at index 1"}},
		{"combine", second(combine(x, withNaN, 5, 2, 7)), []string{"P has 12 numbers, needs 1 × 5 × 2 = 10", "R has 12 numbers, needs 1 × 2 × 7 = 14"}},
		{"combine undefined", second(combine(withNaN, x, 6, 2, 6)), []string{"combining filters: P holds NaN at index 11"}},
		{"combine by channel", second(CombineChannels(x, x, 2, 3, 2, 4)), []string{"R has 12 numbers, needs 2 × 2 × 4 = 16"}},
	} {
		for _, want := range c.want {
			if c.err == nil || !strings.Contains(c.err.Error(), want) {
				t.Errorf("%s: error %v, want %q in it", c.name, c.err, want)
			}
		}
	}
}

func errorOf(_ Solution, err error) error { return err }

func second(_ []float64, err error) error { return err }

// BenchmarkProjectChannels times a 3×3 layer with 512 channels and 16 filters on each of them.
func BenchmarkProjectChannels(b *testing.B) {
	w, r := random(512*512*9, 1), random(512*16*9, 2)
	for b.Loop() {
		if _, err := ProjectChannels(w, r, 512, 512, 16, 9); err != nil {
			b.Fatal(err)
		}
	}
}
