package onnxgraph

import "math"

// float64FromFloat16 widens an IEEE 754 binary16 number; every one has an exact float64.
func float64FromFloat16(h uint16) float64 {
	sign := 1.0
	if h&0x8000 != 0 {
		sign = -1
	}
	exponent, fraction := int(h>>10&0x1f), float64(h&0x3ff)
	switch exponent {
	case 0:
		return sign * math.Ldexp(fraction, -24)
	case 0x1f:
		if fraction != 0 {
			return math.NaN()
		}
		return math.Inf(int(sign))
	}
	return sign * math.Ldexp(1024+fraction, exponent-25)
}

// float16FromFloat64 rounds to binary16, to nearest with ties to even; what is too large becomes infinite.
func float16FromFloat64(v float64) uint16 {
	sign := uint16(math.Float64bits(v) >> 48 & 0x8000)
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return sign | 0x7e00
	case a >= 65520: // half-way between the largest finite number and the next power of two
		return sign | 0x7c00
	case a < math.Ldexp(1, -14):
		return sign | uint16(math.RoundToEven(math.Ldexp(a, 24))) // may carry into the smallest normal number
	}
	fraction, exponent := math.Frexp(a) // fraction in [0.5, 1)
	// a carry out of the fraction moves into the exponent, as it should
	return sign | (uint16(exponent+13)<<10 + uint16(math.RoundToEven(math.Ldexp(fraction, 11))))
}

func float64FromBFloat16(h uint16) float64 {
	return float64(math.Float32frombits(uint32(h) << 16))
}

// bfloat16FromFloat64 rounds to bfloat16, to nearest with ties to even, in one step.
func bfloat16FromFloat64(v float64) uint16 {
	f := float32(v)
	if math.IsNaN(v) {
		return uint16(math.Float32bits(f)>>16) | 0x40
	}
	bits := math.Float32bits(f)
	// rounding twice errs only where the first rounding landed on a tie: nudge back towards v
	if bits&0xffff == 0x8000 && float64(f) != v {
		if math.Abs(v) > math.Abs(float64(f)) {
			bits++
		} else {
			bits--
		}
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
