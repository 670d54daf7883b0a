package filterbank

import "math"

// UniformBound returns the bound a of the bank kaiming-uniform, whose numbers are uniform in [-a, a]: a = 1/√fan_in, where fan_in
// is the product of Shape.
func (s Spec) UniformBound() float32 {
	return float32(1 / math.Sqrt(float64(s.fanIn())))
}

// kaimingUniform draws numbers that are uniform in [-a, a]: Uniform·2a - a. Like Mul and Sub in ONNX, it rounds to float32 twice;
// without the conversion, the compiler could fuse both into one operation with one rounding. The 2^-24 of Uniform is part of the
// factor, which is exact.
func kaimingUniform(random Stream, spec Spec) drawing {
	a := spec.UniformBound()
	factor := 2 * a * 0x1p-24
	return func(out []float32, from int) {
		for i := range out {
			out[i] = float32(float32(random.top24(uint32(from+i)))*factor) - a
		}
	}
}

// kaimingNormal draws from the normal distribution with mean 0 and standard deviation gain/√fan_in, with the gain √2
// that suits ReLU (He et al., "Delving Deep into Rectifiers", 2015).
func kaimingNormal(random Stream, spec Spec) drawing {
	deviation := math.Sqrt2 / math.Sqrt(float64(spec.fanIn()))
	return func(out []float32, from int) {
		for i := range out {
			out[i] = float32(random.normal(uint32(from+i)) * deviation)
		}
	}
}
