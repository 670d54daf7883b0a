package filterbank

import "math"

// UniformBound returns the a of the kaiming-uniform bank's U[-a, a]: 1/√fan_in, where fan_in is the product of Shape.
func (s Spec) UniformBound() float32 {
	return float32(1 / math.Sqrt(float64(s.fanIn())))
}

// kaimingUniform draws from U[-a, a]. The two roundings to float32 are those of an ONNX Mul and Sub; without the
// conversion the compiler could fuse them into one.
func kaimingUniform(random Stream, spec Spec) []float32 {
	a := spec.UniformBound()
	bank := make([]float32, spec.Filters*spec.fanIn())
	for i := range bank {
		bank[i] = float32(random.Uniform(uint32(i))*(2*a)) - a
	}
	return bank
}

// kaimingNormal draws from the normal distribution with mean 0 and standard deviation gain/√fan_in, with the gain √2
// that suits ReLU (He et al., "Delving Deep into Rectifiers", 2015).
func kaimingNormal(random Stream, spec Spec) []float32 {
	deviation := math.Sqrt2 / math.Sqrt(float64(spec.fanIn()))
	bank := make([]float32, spec.Filters*spec.fanIn())
	for i := range bank {
		bank[i] = float32(random.normal(uint32(i)) * deviation)
	}
	return bank
}
