package filterbank

import (
	"fmt"
	"math"
	"testing"
)

// Every statistic here is brought to mean 0 and deviation 1 under the hypothesis of perfect random numbers. There are some
// 2,500 of them, the largest of which would be 3.5 or so by chance; a defect worth the name is far beyond the limit.
const limit = 4.5

const samples = 1 << 18

// lags are the distances at which a stream is correlated with itself: near neighbors; powers of two, where weak constants
// fail first, with their small multiples; and filter sizes.
var lags = func() []int {
	list := append(sequence(1, 65), 75, 147, 144)
	for bit := 7; bit <= 13; bit++ {
		list = append(list, 1<<bit-1, 1<<bit, 1<<bit+1, 3<<bit, 5<<bit, 7<<bit, 9<<bit)
	}
	return append(list, 1<<14, 1<<15, 1<<16, 1<<17)
}()

// TestUniformStatistics checks single streams: moments, every bit, the correlation with a lag, and pairs of neighbors
// in a 32×32 grid.
func TestUniformStatistics(t *testing.T) {
	for _, s := range []Stream{NewStream(0, ""), NewStream(0, "layer1.0.conv1"), NewStream(1, "layer1.0.conv1"),
		NewStream(42, "Conv_7"), {}, {Add: 1 << 31}, {Xor: 1}} {
		for name, z := range worstScores(s.Bits) {
			t.Logf("stream %+v: %s within %.2f standard deviations", s, name, z)
			if z > limit {
				t.Errorf("stream %+v: %s is %.2f standard deviations off", s, name, z)
			}
		}
	}
	bad := mixWith(3, 5)
	for name, z := range worstScores(func(i uint32) uint32 { return bad(i, 0) }) {
		if z < 2*limit {
			t.Errorf("%s do not see that 3 and 5 are bad constants: %.2f standard deviations", name, z)
		}
	}
}

// worstScores returns the magnitude of the worst score of each kind over the first samples of a generator.
func worstScores(generator func(uint32) uint32) map[string]float64 {
	worst := map[string]float64{}
	add := func(name string, z float64) { worst[name] = max(worst[name], math.Abs(z)) }
	u := centered(generator, samples)
	for power := 1; power <= 6; power++ {
		add("moments", momentScore(u, power))
	}
	for _, z := range bitScores(generator) {
		add("bits", z)
	}
	for _, lag := range lags {
		add("lags", correlationScore(u[lag:], u[:len(u)-lag]))
	}
	for _, lag := range []int{1, 2, 3, 9, 27, 576} {
		add("pairs", gridScore(u[lag:], u[:len(u)-lag]))
	}
	return worst
}

// TestStreamsAreIndependent correlates the streams of neighboring seeds and similar names value by value, and those that
// differ in Xor alone, so that their windows overlap, at small lags too.
func TestStreamsAreIndependent(t *testing.T) {
	var named, overlapping [][]float64
	for i := range 16 {
		for _, s := range []Stream{NewStream(uint64(i), "conv"), NewStream(0, fmt.Sprintf("conv%d", i)),
			NewStream(1<<63+uint64(i), "conv")} {
			named = append(named, centered(s.Bits, samples))
		}
	}
	for _, xor := range []uint32{0x5bd1e995, 0x00c0ffee, 0x9e3779b9, 0x31415926} {
		overlapping = append(overlapping, centered(Stream{Add: 12345, Xor: xor}.Bits, samples))
	}
	checkIndependent(t, "named", named, []int{0})
	checkIndependent(t, "overlapping", overlapping, sequence(0, 40))

	shifted := centered(Stream{Add: 100}.Bits, samples)
	if z := correlationScore(shifted[:samples-100], centered(Stream{}.Bits, samples)[100:]); z < 100 {
		t.Errorf("windows with equal Xor do not repeat each other (%.2f): the correlation is not measured", z)
	}
}

func checkIndependent(t *testing.T, kind string, streams [][]float64, atLags []int) {
	worst := 0.0
	for i, a := range streams {
		for j, b := range streams[:i] {
			for _, lag := range atLags {
				z := math.Abs(correlationScore(a[lag:], b[:len(b)-lag]))
				worst = max(worst, z)
				if z > limit {
					t.Errorf("%s streams %d and %d at lag %d: correlation is %.2f standard deviations off", kind, i, j, lag, z)
				}
			}
		}
	}
	t.Logf("%s streams: correlations within %.2f standard deviations", kind, worst)
}

// TestNormalStatistics checks the moments of the normal draws.
func TestNormalStatistics(t *testing.T) {
	// Deviations of z, z², z³ and z⁴ around 0, 1, 0 and 3.
	expected := []struct{ mean, deviation float64 }{{0, 1}, {1, math.Sqrt(2)}, {0, math.Sqrt(15)}, {3, math.Sqrt(96)}}
	for _, s := range []Stream{NewStream(0, "a"), NewStream(1, "a"), {}} {
		for k, e := range expected {
			sum := 0.0
			for i := range samples {
				sum += math.Pow(s.normal(uint32(i)), float64(k+1))
			}
			if z := (sum/samples - e.mean) / e.deviation * math.Sqrt(samples); math.Abs(z) > limit {
				t.Errorf("stream %+v: moment %d is %.2f standard deviations off", s, k+1, z)
			}
		}
	}
}

// centered returns the first n values of a generator as uniform numbers, minus 1/2.
func centered(generator func(uint32) uint32, n int) []float64 {
	u := make([]float64, n)
	for i := range u {
		u[i] = float64(generator(uint32(i))>>8)*0x1p-24 - 0.5
	}
	return u
}

// momentScore standardizes the mean of u^power, whose expectation on [-1/2, 1/2] is 2^-power/(power+1) for even powers.
func momentScore(u []float64, power int) float64 {
	expected := func(p int) float64 {
		if p%2 == 1 {
			return 0
		}
		return math.Pow(2, -float64(p)) / float64(p+1)
	}
	sum := 0.0
	for _, v := range u {
		sum += math.Pow(v, float64(power))
	}
	variance := expected(2*power) - expected(power)*expected(power)
	return (sum/float64(len(u)) - expected(power)) / math.Sqrt(variance/float64(len(u)))
}

// bitScores standardizes how often each of the 32 bits is set, and their chi-square.
func bitScores(generator func(uint32) uint32) []float64 {
	scores, chiSquare := make([]float64, 32), 0.0
	for b := range scores {
		ones := 0
		for i := range samples {
			ones += int(generator(uint32(i)) >> b & 1)
		}
		scores[b] = (2*float64(ones) - samples) / math.Sqrt(samples)
		chiSquare += scores[b] * scores[b]
	}
	return append(scores, chiSquareScore(chiSquare, 32))
}

// correlationScore standardizes the correlation of two centered uniform sequences.
func correlationScore(a, b []float64) float64 {
	sum := 0.0
	for i := range a {
		sum += a[i] * b[i]
	}
	return 12 * sum / math.Sqrt(float64(len(a)))
}

// gridScore standardizes the chi-square of the pairs (a, b) over a grid of 32×32 equal cells.
func gridScore(a, b []float64) float64 {
	const side = 32
	var cells [side * side]float64
	for i := range a {
		cells[int((a[i]+0.5)*side)*side+int((b[i]+0.5)*side)]++
	}
	mean, chiSquare := float64(len(a))/(side*side), 0.0
	for _, c := range cells {
		chiSquare += (c - mean) * (c - mean) / mean
	}
	return chiSquareScore(chiSquare, side*side-1)
}

// chiSquareScore standardizes a chi-square by its cube root, which is close to normal (Wilson & Hilferty 1931).
func chiSquareScore(chiSquare, degrees float64) float64 {
	variance := 2 / (9 * degrees)
	return (math.Cbrt(chiSquare/degrees) - (1 - variance)) / math.Sqrt(variance)
}

// sequence returns first … last-1.
func sequence(first, last int) []int {
	list := make([]int, 0, last-first)
	for i := first; i < last; i++ {
		list = append(list, i)
	}
	return list
}
