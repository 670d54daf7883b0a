package filterbank

import (
	"fmt"
	"math"
	"math/bits"
	"math/rand/v2"
	"testing"
)

// TestStreamGolden pins the generator: a change of any of these numbers makes every stored seed mean another bank.
func TestStreamGolden(t *testing.T) {
	for _, c := range []struct {
		seed uint64
		name string
		want [4]uint32 // values 0, 1, 2^20 and 2^32-1
	}{
		{0, "", [4]uint32{0x59a2d3ad, 0x249f0a49, 0x95112234, 0xd21bd44d}},
		{1, "layer1.0.conv1", [4]uint32{0x37f24742, 0x912558b6, 0xe3e721e8, 0xa5bb4106}},
		{math.MaxUint64, "Größe", [4]uint32{0xb13ec2a7, 0x84b4ecda, 0x8b7f5e6e, 0x5974e19f}},
	} {
		s := NewStream(c.seed, c.name)
		got := [4]uint32{s.Bits(0), s.Bits(1), s.Bits(1 << 20), s.Bits(math.MaxUint32)}
		if got != c.want {
			t.Errorf("seed %d, name %q: got %#x, want %#x", c.seed, c.name, got, c.want)
		}
	}
}

// TestStreamInOnnxIntegers evaluates the generator in the operators an ONNX graph has, and checks that no product leaves
// the non-negative int64 range.
func TestStreamInOnnxIntegers(t *testing.T) {
	const mask = 0xffffffff
	shift := func(x int64, by uint) int64 { return int64(uint64(x) >> by) }
	times := func(x, c int64) int64 {
		if high, low := bits.Mul64(uint64(x), uint64(c)); high != 0 || low > math.MaxInt64 {
			t.Fatalf("%d × %d overflows int64", x, c)
		}
		return x * c & mask
	}
	s := NewStream(7, "conv")
	for _, i := range append(indices(1000), 0, 1, math.MaxUint32, -s.Add, -s.Add-1) {
		x := (int64(i) + int64(s.Add)) & mask
		x ^= shift(x, 16)
		x = times(x, Multiplier1) ^ int64(s.Xor)
		x ^= shift(x, 15)
		x = times(x, Multiplier2)
		x ^= shift(x, 16)
		if x != int64(s.Bits(i)) {
			t.Fatalf("value %d: %#x in int64, %#x in uint32", i, x, s.Bits(i))
		}
		if u := s.Uniform(i); float64(u) != float64(x>>8)/(1<<24) || u < 0 || u >= 1 {
			t.Fatalf("value %d: uniform %v is not the top 24 bits of %#x", i, u, x)
		}
	}
}

// indices returns n random 32-bit integers, the same on every call.
func indices(n int) []uint32 {
	random := rand.New(rand.NewPCG(1, 2))
	list := make([]uint32, n)
	for i := range list {
		list[i] = random.Uint32()
	}
	return list
}

// avalanche returns the root mean square and the largest of 2·P-1 over the 32×32 probabilities P that an output bit
// flips with an input bit, over n random inputs and second keys; perfect bits give about 1/√n for the former.
func avalanche(mix func(x, key uint32) uint32, n int) (rms, largest float64) {
	random := rand.New(rand.NewPCG(3, 4))
	var flips [32][32]int
	for range n {
		x, key := random.Uint32(), random.Uint32()
		y := mix(x, key)
		for i := range flips {
			for d := y ^ mix(x^1<<i, key); d != 0; d &= d - 1 {
				flips[i][bits.TrailingZeros32(d)]++
			}
		}
	}
	for i := range flips {
		for _, f := range flips[i] {
			bias := 2*float64(f)/float64(n) - 1
			rms += bias * bias / (32 * 32)
			largest = max(largest, math.Abs(bias))
		}
	}
	return math.Sqrt(rms), largest
}

// mixWith returns the function of Stream.Bits with other constants.
func mixWith(c1, c2 uint32) func(x, key uint32) uint32 {
	return func(x, key uint32) uint32 {
		x = (x ^ x>>16) * c1
		x ^= key
		x = (x ^ x>>15) * c2
		return x ^ x>>16
	}
}

func TestAvalanche(t *testing.T) {
	const n = 1 << 18
	floor := 1 / math.Sqrt(n)
	chosen := func(x, key uint32) uint32 { return Stream{Xor: key}.Bits(x) }
	rms, largest := avalanche(chosen, n)
	t.Logf("rms %.3g (floor %.3g), largest %.3g", rms, floor, largest)
	if rms > 1.1*floor || largest > 6*floor {
		t.Errorf("avalanche: rms %.3g, largest %.3g, want at most %.3g and %.3g", rms, largest, 1.1*floor, 6*floor)
	}
	if rms, _ := avalanche(mixWith(3, 5), n/64); rms < 10*floor {
		t.Errorf("the measure does not see that 3 and 5 are bad constants: rms %.3g", rms)
	}
}

// BenchmarkSearchMultipliers tries b.N random pairs of constants, drops those with poor avalanche, and reports the pair
// whose correlations within the stream are smallest: go test -bench SearchMultipliers -benchtime 200x
func BenchmarkSearchMultipliers(b *testing.B) {
	random := rand.New(rand.NewPCG(5, 6))
	keys := indices(8)
	best, found := math.Inf(1), "none"
	for range b.N {
		c1, c2 := random.Uint32()>>1|1, random.Uint32()>>1|1
		mix := mixWith(c1, c2)
		if rms, _ := avalanche(mix, 1<<14); rms > 1/128.0 {
			continue
		}
		squares, largest := 0.0, 0.0
		for k := 0; k < len(keys); k += 2 {
			u := centered(func(i uint32) uint32 { return mix(i+keys[k], keys[k+1]) }, 1<<20)
			for _, lag := range lags {
				z := correlationScore(u[lag:], u[:len(u)-lag])
				squares, largest = squares+z*z, max(largest, math.Abs(z))
			}
		}
		if squares < best {
			best, found = squares, fmt.Sprintf("%#x, %#x with largest correlation %.2f", c1, c2, largest)
		}
	}
	b.Logf("best of %d pairs: %s", b.N, found)
}

func BenchmarkUniform(b *testing.B) {
	s, sum := NewStream(0, ""), float32(0)
	for i := range b.N {
		sum += s.Uniform(uint32(i))
	}
	_ = sum
}
