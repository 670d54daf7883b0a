package transform_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestNoteOfSinusoids tells the filters of a Fourier transform from others of the same size, and leaves them out by their
// number of input channels.
func TestNoteOfSinusoids(t *testing.T) {
	hann := func(k, taps int) float64 { return 0.5 - 0.5*math.Cos(2*math.Pi*float64(k)/float64(taps)) }
	random := rand.New(rand.NewPCG(1, 2))
	for _, c := range []struct {
		name    string
		taps    int
		filters int64
		weight  func(filter, k, taps int) float64
		noted   bool
	}{
		{"Hann window, cosines then sines", 64, 66, func(f, k, taps int) float64 {
			return hann(k, taps) * math.Cos(2*math.Pi*float64(f%33*k)/float64(taps)-float64(f/33)*math.Pi/2)
		}, true},
		{"no window", 50, 26, func(f, k, taps int) float64 { return math.Cos(2 * math.Pi * float64(f*k) / float64(taps)) }, true},
		{"too short", 16, 9, func(f, k, taps int) float64 { return math.Cos(2 * math.Pi * float64(f*k) / float64(taps)) }, false},
		{"random", 64, 66, func(int, int, int) float64 { return random.NormFloat64() }, false},
		{"smooth", 64, 66, func(f, k, taps int) float64 { return math.Exp(-math.Pow(float64(k-f)/12, 2)) }, false},
		{"one that is random among sinusoids", 64, 33, func(f, k, taps int) float64 {
			if f == 20 {
				return random.NormFloat64()
			}
			return math.Cos(2 * math.Pi * float64(f*k) / float64(taps))
		}, false},
		{"no window, after a silent filter", 64, 33, func(f, k, taps int) float64 { return math.Sin(2 * math.Pi * float64(f*k) / float64(taps)) }, true},
		{"random, after a silent filter", 64, 8, func(f, _, _ int) float64 { return float64(min(f, 1)) * random.NormFloat64() }, false},
		{"three filters for each of four frequencies", 64, 12, func(f, k, taps int) float64 {
			return math.Cos(2*math.Pi*float64((1+f%4)*7*k)/float64(taps) + float64(f))
		}, true},
		{"more than three", 64, 13, func(f, k, taps int) float64 {
			return math.Cos(2*math.Pi*float64((1+f%4)*7*k)/float64(taps) + float64(f))
		}, false},
		{"of three frequencies", 64, 9, func(f, k, taps int) float64 {
			return math.Cos(2*math.Pi*float64((1+f%3)*7*k)/float64(taps) + float64(f))
		}, false},
		{"zeros", 64, 8, func(int, int, int) float64 { return 0 }, false},
	} {
		var data []float64
		for f := range c.filters {
			for k := range c.taps {
				data = append(data, c.weight(int(f), k, c.taps))
			}
		}
		m := convcases.Case{Input: []int64{1, 1, 200}, Filters: c.filters, Kernel: []int64{int64(c.taps)}}.Model()
		w, err := onnxgraph.FromFloat64s(onnxgraph.Float32, []int64{c.filters, 1, int64(c.taps)}, data)
		if err != nil {
			t.Fatal(err)
		}
		m.Graph.Value(convcases.Weight).SetConstant(w)
		report, err := transform.Plan(m, transform.Options{})
		if err != nil || report[0].Status != transform.Converted || (report[0].Note != "") != c.noted {
			t.Errorf("%s: %+v, %v", c.name, report, err)
		}
		if c.filters%2 == 0 { // the same numbers, as filters of two channels
			m := convcases.Case{Input: []int64{1, 2, 200}, Filters: c.filters / 2, Kernel: []int64{int64(c.taps)}}.Model()
			two, err := w.Reshaped([]int64{c.filters / 2, 2, int64(c.taps)})
			if err != nil {
				t.Fatal(err)
			}
			m.Graph.Value(convcases.Weight).SetConstant(two)
			if report, err := transform.Plan(m, transform.Options{}); err != nil || report[0].Note != "" {
				t.Errorf("%s, two channels: %+v, %v", c.name, report, err)
			}
		}
		report, err = transform.Plan(m, transform.Options{MinInChannels: 2})
		if err != nil || report[0].Status != transform.Skipped || report[0].Note != "" {
			t.Errorf("%s, without convolutions of one channel: %+v, %v", c.name, report, err)
		}
	}
}
