package filterstats_test

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/filterstats"
)

// numpyAnswer is what testdata/numpy/filterstats.py prints.
type numpyAnswer struct {
	Layers   map[string]filterstats.Layer `json:"layers"` // with the measures alone
	HeatMaps []filterstats.HeatMap        `json:"heat_maps"`
	Shift    *float64                     `json:"shift"`
}

func askNumpy(t *testing.T, python string, paths ...string) (a numpyAnswer) {
	t.Helper()
	var faults strings.Builder
	cmd := exec.Command(python, append([]string{"../../testdata/numpy/filterstats.py"}, paths...)...)
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v of %q:\n%s", err, paths, faults.String())
	}
	if err := json.Unmarshal(out, &a); err != nil {
		t.Fatalf("%s: %v", out, err)
	}
	return a
}

// TestNumpy compares with numpy on a trained model, on one that is made here, and on those in the folder of models.
func TestNumpy(t *testing.T) {
	python := peer.Python(t, "numpy", "onnx")
	made := newModel()
	conv(t, made, "first", draw(1, 16, 3, 3, 3))
	conv(t, made, "smooth", each(draw(2, 32, 16, 3, 3), func(w float64, tap, kernel int) float64 {
		return (w + 0.3) / float64(1+(tap-4)*(tap-4)) / float64(1+kernel%200*kernel%200)
	}))
	conv(t, made, "deep", draw(3, 8, 3, 3, 3, 3))
	path := filepath.Join(t.TempDir(), "made.onnx")
	if err := made.Save(path, onnxgraph.ExternalNone); err != nil {
		t.Fatal(err)
	}
	paths := []string{"../../testdata/demo/mnist-cnn.onnx", path}
	t.Run("folder", func(t *testing.T) {
		more, err := filepath.Glob(filepath.Join(peer.Models(t), "*.onnx"))
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, more...)
	})
	var shifted []string // models with 3×3 kernels
	compared := 0
	for _, path := range paths {
		s, want := load(t, path), askNumpy(t, python, path)
		byName := map[string]filterstats.Layer{}
		for _, l := range s.Layers {
			byName[l.Name] = l
		}
		for name, w := range want.Layers {
			l, ok := byName[name]
			if !ok {
				t.Errorf("%s: numpy measured %q, and we did not", path, name)
				continue
			}
			compared++
			for _, c := range []struct {
				name      string
				got, want *float64
			}{
				{"entropy", l.FVE, w.FVE}, {"ratio", l.FVERatio, w.FVERatio}, {"clean entropy", l.CleanFVE, w.CleanFVE}, {"clean ratio", l.CleanFVERatio, w.CleanFVERatio},
				{"sparsity", &l.Sparsity, &w.Sparsity}, {"orthogonality", l.Orthogonality, w.Orthogonality},
			} {
				if !isNear(c.got, c.want, 1e-5) {
					t.Errorf("%s, %s: %s %s, numpy's is %s", path, name, c.name, text(c.got), text(c.want))
				}
			}
			if l.Kernels != w.Kernels {
				t.Errorf("%s, %s: %d kernels, numpy counts %d", path, name, l.Kernels, w.Kernels)
			}
		}
		if len(want.Layers) < len(s.Layers) {
			continue // some weights are no initializers, which numpy's program does not read
		}
		if len(s.HeatMaps) != len(want.HeatMaps) {
			t.Errorf("%s: %d heat maps, numpy has %d", path, len(s.HeatMaps), len(want.HeatMaps))
			continue
		}
		for i, h := range s.HeatMaps {
			for k, v := range h.Variance {
				if !isNear(&v, &want.HeatMaps[i].Variance[k], 1e-5) {
					t.Errorf("%s: heat map %v has %v at %d, numpy's %v", path, h.Kernel, v, k, want.HeatMaps[i].Variance[k])
				}
			}
			if len(h.Kernel) == 2 && h.Kernel[0] == 3 && h.Kernel[1] == 3 {
				shifted = append(shifted, path)
			}
		}
	}
	t.Logf("compared %d layers", compared)
	if compared < 5 {
		t.Errorf("only %d layers were compared", compared)
	}
	for i := range shifted {
		pair := []string{shifted[0], shifted[i]}
		d, err := filterstats.Shift(load(t, pair[0]), load(t, pair[1]))
		if err != nil {
			t.Fatal(err)
		}
		if want := askNumpy(t, python, pair...); !isNear(d.Shift, want.Shift, 1e-5) {
			t.Errorf("%v: shift %s, numpy's is %s", pair, text(d.Shift), text(want.Shift))
		}
	}
}

func load(t *testing.T, path string) *filterstats.Stats {
	t.Helper()
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return measure(t, m)
}
