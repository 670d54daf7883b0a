package filterstats_test

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/damage"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// FuzzMeasure measures models that are damaged byte by byte, by the engine, and part by part, by package damage. Nothing may panic, hang, or
// take memory out of proportion.
func FuzzMeasure(f *testing.F) {
	for _, c := range []convcases.Case{convcases.Named("plain"), convcases.Named("depthwise"), convcases.Named("1-D"), convcases.Named("float16")} {
		m := c.Model()
		add := func() {
			if data, err := m.Bytes(); err == nil {
				f.Add(data, uint64(0))
			}
		}
		add()
		if _, err := transform.Convert(m, transform.Options{Pointwise: transform.Random, Between: transform.BatchNorm}); err != nil {
			f.Fatal(err)
		}
		add()
	}
	f.Fuzz(func(t *testing.T, data []byte, seed uint64) { measureDamaged(t, damage.Model(data, seed)) })
}

// TestDamagedModels does what FuzzMeasure does, to each seed of FuzzConvert in a number of ways.
func TestDamagedModels(t *testing.T) {
	damage.Seeds(t, "../testdata/fuzz/FuzzConvert", measureDamaged)
}

func measureDamaged(t *testing.T, data []byte) {
	m, err := onnxgraph.Parse(data, "testdata/nowhere") // a folder without external data
	if err != nil {
		return
	}
	defer damage.Watch(t, len(data))()
	s, err := filterstats.Measure(m, nil)
	if err != nil {
		return
	}
	for _, l := range s.Layers {
		for name, v := range map[string]*float64{"entropy": l.FVE, "ratio": l.FVERatio, "clean entropy": l.CleanFVE, "sparsity": &l.Sparsity, "orthogonality": l.Orthogonality} {
			if v != nil && !(*v >= 0 && *v < 100) {
				t.Errorf("%s: %s %v", l.Name, name, *v)
			}
		}
	}
	if _, err := filterstats.Shift(s, s); err != nil {
		t.Error(err)
	}
}
