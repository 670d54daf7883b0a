package onnxgraph

import "math"

// float64FromFloat16 converts an IEEE 754 binary16 number. The result is always exact.
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

// float16FromFloat64 rounds to the nearest binary16 number, ties to even. Numbers that are too large become infinite.
func float16FromFloat64(v float64) uint16 {
	sign := uint16(math.Float64bits(v) >> 48 & 0x8000)
	a := math.Abs(v)
	switch {
	case math.IsNaN(v):
		return sign | 0x7e00
	case a >= 65520: // halfway between the largest finite number and the next power of two
		return sign | 0x7c00
	case a < math.Ldexp(1, -14):
		return sign | uint16(math.RoundToEven(math.Ldexp(a, 24))) // may carry into the smallest normal number
	}
	fraction, exponent := math.Frexp(a) // fraction in [0.5, 1)
	// if the fraction rounds up to the next power of two, the carry correctly increases the exponent
	return sign | (uint16(exponent+13)<<10 + uint16(math.RoundToEven(math.Ldexp(fraction, 11))))
}

func float64FromBFloat16(h uint16) float64 {
	return float64(math.Float32frombits(uint32(h) << 16))
}

// bfloat16FromFloat64 rounds once to the nearest bfloat16 number, ties to even.
func bfloat16FromFloat64(v float64) uint16 {
	f := float32(v)
	if math.IsNaN(v) {
		return uint16(math.Float32bits(f)>>16) | 0x40
	}
	bits := math.Float32bits(f)
	// rounding twice is wrong only if the first result is a tie that v was not: move it back toward v
	if bits&0xffff == 0x8000 && float64(f) != v {
		if math.Abs(v) > math.Abs(float64(f)) {
			bits++
		} else {
			bits--
		}
	}
	return uint16((bits + 0x7fff + bits>>16&1) >> 16)
}
