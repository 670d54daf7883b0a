package filterbank

import (
	"crypto/sha256"
	"encoding/binary"
)

// Multiplier1 and Multiplier2 are the two constants by which Stream.Bits multiplies. Callers need them only to compute the same
// numbers by other means, as package trainstep does with ONNX operators. Both are odd, and below 2^31, so that a 32-bit value
// times either of them fits into a signed 64-bit integer, with which these operators compute.
const (
	Multiplier1 = 0x3621ea37
	Multiplier2 = 0x242b5ea3
)

// How they were found: they are a choice from 570 random pairs with good avalanche, made by the correlations within streams,
// which distinguish pairs that avalanche does not (BenchmarkSearchMultipliers repeats such a search), and then by single bits.
// Figures:
//
//   - avalanche, over 2^21 random indices and keys: the 32×32 probabilities that an output bit flips with an index bit
//     stray from 1/2 by 0.354e-3 root mean square, where perfect bits would show 0.345e-3 at that sample size;
//   - correlation at 154 lags up to 2^20 (1 to 64, powers of two and their small multiples and neighbors, kernel sizes)
//     in 12 streams of 2^21 values, in standard deviations of its error: 1.04 root mean square (1.00 ± 0.02 for
//     perfect numbers), and 4.4 at most, which is a correlation of 0.003. Half of the pairs exceed 5 at an eighth of the
//     samples;
//   - share of ones in each bit of 1,000 streams of 2^18 values, likewise: 0.96 root mean square and 4.0 at most.
//
// The tests assert bounds for these, and for moments, pairs of neighbors, and the correlations between neighboring
// seeds, similar names and overlapping windows.

// Stream is a counter-based random generator: a fixed sequence of 2^32 values in which value i depends on the two keys
// and on i alone. So a bank comes out the same on every platform, in any order and in any number of threads.
//
// Add shifts the index and Xor enters between the two multiplications. With Add alone all streams would be windows
// into one sequence of 2^32 values, and two banks of a million weights whose windows overlap would be shifted copies
// of each other: among 100 such banks an overlap is more likely than not. With Xor, overlapping windows are
// scrambled differently, for one more integer operation. Two streams are equal only if both keys are: a chance of 1 in 2^64.
type Stream struct {
	Add, Xor uint32 // the two keys
}

// NewStream returns the stream of a seed and a name (by custom the name of the block). The keys are the first eight
// bytes of SHA-256(seed as 8 little-endian bytes, then the name), read as two little-endian 32-bit integers, so
// neighboring seeds and similar names have nothing in common.
func NewStream(seed uint64, name string) Stream { return newStream(seed, name, 0) }

// newStream returns the stream of a further draw for a seed and a name: SHA-256 is applied to its own result once for each
// draw before, and the keys come from the last.
func newStream(seed uint64, name string, draws int) Stream {
	sum := sha256.Sum256(append(binary.LittleEndian.AppendUint64(nil, seed), name...))
	for range draws {
		sum = sha256.Sum256(sum[:])
	}
	return Stream{Add: binary.LittleEndian.Uint32(sum[:4]), Xor: binary.LittleEndian.Uint32(sum[4:8])}
}

// Bits returns value i of the stream as 32 random bits. For one stream, it is a permutation of the 32-bit integers.
//
// Every step is exact in 64-bit ONNX operators too (Add, Mul, BitwiseAnd and BitwiseXor on int64, BitShift on uint64),
// with BitwiseAnd 0xffffffff after the addition and after each multiplication, where uint32 wraps by itself here.
func (s Stream) Bits(i uint32) uint32 {
	x := i + s.Add
	x ^= x >> 16
	x *= Multiplier1
	x ^= s.Xor
	x ^= x >> 15
	x *= Multiplier2
	return x ^ x>>16
}

// Uniform returns value i as a multiple of 2^-24 in [0, 1): the top 24 bits of Bits, which float32 holds exactly.
func (s Stream) Uniform(i uint32) float32 { return float32(s.top24(i)) * 0x1p-24 }

// top24 is signed because processors convert signed integers faster.
func (s Stream) top24(i uint32) int32 { return int32(s.Bits(i) >> 8) }

// normal returns value i as a draw from the standard normal distribution: the normal quantile of (Bits + 1/2) / 2^32.
// One index makes one draw, so no two elements of a bank are made of the same random bits. The largest possible
// magnitude is 6.3.
func (s Stream) normal(i uint32) float64 {
	return normalQuantile((float64(s.Bits(i)) + 0.5 - 0x1p31) * 0x1p-32)
}
