package machine

import "testing"

func TestProcessor(t *testing.T) {
	for info, want := range map[string]string{
		"":                          "unknown processor",
		"model name\t: Chip 3000\n": "Chip 3000",
		"processor\t: 0\nmodel name\t: Chip\nflags\t\t: fpu avx avx2\n\nprocessor\t: 1\nmodel name\t: Chip\nflags\t: fpu avx avx2 avx512f\n": "Chip with AVX512",
		"Processor\t: ARMv8\nFeatures\t: fp asimd\n": "unknown processor",
	} {
		if got := processor(info); got != want {
			t.Errorf("%q: %q, want %q", info, got, want)
		}
	}
}
