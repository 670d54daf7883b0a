package filterbank

import "math"

// A Go compiler may fuse x*y + z into one operation with one rounding, and does so on some processors only. The conversions
// float64(x*y) in this package prevent that. Of package math it uses only Sqrt and Frexp, which are exact on every platform; the
// last bits of other functions differ between processors. So every draw is the same on every platform.

// The two rational approximations of algorithm AS 241, PPND16 (M. J. Wichura, "The percentage points of the normal distribution",
// Applied Statistics 37, 1988), highest power first. The third approximation of AS 241 is only for tails below exp(-25) =
// 1.4e-11; the smallest tail here is 2^-33 = 1.2e-10.
var (
	centerNumerator = []float64{2509.0809287301226727, 33430.575583588128105, 67265.770927008700853, 45921.953931549871457,
		13731.693765509461125, 1971.5909503065514427, 133.14166789178437745, 3.3871328727963666080}
	centerDenominator = []float64{5226.4952788528545610, 28729.085735721942674, 39307.895800092710610, 21213.794301586595867,
		5394.1960214247511077, 687.18700749205790830, 42.313330701600911252, 1}
	tailNumerator = []float64{7.74545014278341407640e-4, 0.0227238449892691845833, 0.241780725177450611770, 1.27045825245236838258,
		3.64784832476320460504, 5.76949722146069140550, 4.63033784615654529590, 1.42343711074968357734}
	tailDenominator = []float64{1.05075007164441684324e-9, 5.47593808499534494600e-4, 0.0151986665636164571966,
		0.148103976427480074590, 0.689767334985100004550, 1.67638483018380384940, 2.05319162663775882187, 1}
)

// normalQuantile returns the z below which a standard normal variable falls with probability 1/2 + q, for
// |q| ≤ 1/2 - 2^-33, to a relative accuracy of about 1e-15.
func normalQuantile(q float64) float64 {
	if math.Abs(q) <= 0.425 {
		t := 0.180625 - float64(q*q)
		return q * horner(centerNumerator, t) / horner(centerDenominator, t)
	}
	t := math.Sqrt(-logarithm(0.5-math.Abs(q))) - 1.6
	return math.Copysign(horner(tailNumerator, t)/horner(tailDenominator, t), q)
}

// logarithm returns ln x for a positive, finite x: x = m·2^e with m in [√½, √2), and ln m = 2·artanh(s) with s = (m-1)/(m+1) by
// its power series, truncated where the next term is below 1e-17.
func logarithm(x float64) float64 {
	m, e := math.Frexp(x)
	if m < math.Sqrt2/2 {
		m, e = 2*m, e-1
	}
	s := (m - 1) / (m + 1)
	s2, series := float64(s*s), 0.0
	for k := 21; k > 0; k -= 2 {
		series = float64(series*s2) + 1/float64(k)
	}
	return float64(2*s*series) + float64(float64(e)*math.Ln2)
}

// horner evaluates the polynomial with the given coefficients, highest power first, at x.
func horner(coefficients []float64, x float64) float64 {
	sum := 0.0
	for _, c := range coefficients {
		sum = float64(sum*x) + c
	}
	return sum
}
