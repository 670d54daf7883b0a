package main

import (
	"bytes"
	"context"
	"math"
	"strings"
	"testing"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/rcfreeze/rcfreeze"
	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// writeFilters writes a model of convolutions of one input: of 3×3, the same again, few of 3×3, of 5×5 with equal weights, and of 1×1 with these
// names.
func writeFilters(t *testing.T, path string, pointwise ...string) {
	t.Helper()
	m := onnxgraph.New("filters", 8, 18)
	g := m.Graph
	x, err := g.AddInput("input", onnxgraph.Float32, onnxgraph.Static(1, 4, 12, 12))
	if err != nil {
		t.Fatal(err)
	}
	add := func(name string, weight *onnxgraph.Value) *onnxgraph.Value {
		n := g.AddNode("Conv", []*onnxgraph.Value{x, weight})
		n.Rename(name)
		g.AddOutput(n.Output(0), onnxgraph.Float32, nil)
		return weight
	}
	draw := func(name string, dims ...int64) *onnxgraph.Value {
		return g.AddConstant(name, convcases.Draw(onnxgraph.Float32, 1, dims...))
	}
	shared := add("plain", draw("w", 64, 4, 3, 3))
	add("again", shared)
	for _, name := range pointwise {
		add(name, draw("p", 8, 4, 1, 1))
	}
	add("few", draw("f", 2, 4, 3, 3))
	add("box", g.AddConstant("b", onnxgraph.NewTensor([]int64{1, 4, 5, 5}, make([]float32, 100))))
	writeModel(t, path, m)
}

// TestAnalyze looks at what analyze prints of a model, of blocks, and of both.
func TestAnalyze(t *testing.T) {
	workshop(t)
	writeFilters(t, "source.onnx", "pointwise")
	succeed(t, "convert", "source.onnx", "-o", "blocks.onnx", "-E", "2", "--skip", "few", "--pointwise", "random")
	succeed(t, "convert", "source.onnx", "-o", "relu.onnx", "--between", "relu", "--pointwise", "random", "--include", "few")
	succeed(t, "new", "lenet", "-o", "lenet.onnx")
	writeFilters(t, "three.onnx", "one", "two", "three")
	writeFilters(t, "four.onnx", "one", "two", "three", "four")
	const pointwise = "left out pointwise of source.onnx: a kernel of 1 is not spatial\n"
	for _, c := range []struct {
		args            string
		prints, says    []string
		without, unsaid []string
	}{
		{"source.onnx", []string{"layer  kernel  kernels ", "\nplain  3×3         256 ", "\nagain  3×3         256 ", "  plain\n", "\nfew    3×3           8  0.", "  –  ", "100.00 %", "variance in the center"},
			[]string{pointwise, "the heat maps leave out box of source.onnx, whose weights are all equal\n"}, []string{"-E", "relative error", "pointwise", "shift", "file"}, nil},
		{"blocks.onnx", []string{"kernels  -E ", "\nplain  3×3         256   2 "}, nil, []string{"relative error"}, nil},
		{"relu.onnx", []string{"\nplain "}, []string{"left out few of relu.onnx: the block has no combined filters: a ReLU stands between"}, []string{"\nfew "}, nil},
		{"blocks.onnx source.onnx", []string{"file  blocks.onnx\n", "file  source.onnx\n", "relative error\n", "component of 3×3 kernels", "\nshift "},
			[]string{"there is no relative error of box: source.onnx has no filters of that name and size, or only zeros"}, nil, []string{"no shift"}},
		{"three.onnx", nil, []string{"left out one, two, three of three.onnx: a kernel of 1 is not spatial\n"}, nil, nil},
		{"four.onnx", nil, []string{"left out 4 convolutions of four.onnx: a kernel of 1 is not spatial\n"}, nil, nil},
		{"source.onnx lenet.onnx", []string{"\nconv1 "}, []string{"there is no shift: it tells how differently the 3×3 kernels of two models are distributed, and lenet.onnx has none\n", "there is no relative error of plain, again, few, box: lenet.onnx"}, []string{"component"}, nil},
		{"lenet.onnx source.onnx", nil, []string{"distributed, and lenet.onnx has none\n"}, []string{"component"}, nil},
		{"lenet.onnx lenet.onnx", nil, []string{"distributed, and neither has any\n"}, []string{"component"}, []string{"lenet.onnx has none"}},
	} {
		out, talk, code := call(append([]string{"analyze"}, strings.Fields(c.args)...)...)
		if code != exitDone {
			t.Errorf("%s: exit code %d: %s", c.args, code, talk)
		}
		for _, want := range c.prints {
			if !strings.Contains(out, want) {
				t.Errorf("%s: does not print %q:\n%s", c.args, want, out)
			}
		}
		for _, want := range c.says {
			if !strings.Contains(talk, want) {
				t.Errorf("%s: does not say %q:\n%s", c.args, want, talk)
			}
		}
		for _, no := range c.without {
			if strings.Contains(out, no) {
				t.Errorf("%s: prints %q:\n%s", c.args, no, out)
			}
		}
		for _, no := range c.unsaid {
			if strings.Contains(talk, no) {
				t.Errorf("%s: says %q:\n%s", c.args, no, talk)
			}
		}
		for line := range strings.Lines(out) {
			if text.StringWidth(strings.TrimRight(line, "\n")) > usualWidth {
				t.Errorf("%s: a line is too wide: %s", c.args, line)
			}
		}
	}
}

// TestAnalyzeInterrupted stops it, as Ctrl-C does.
func TestAnalyzeInterrupted(t *testing.T) {
	workshop(t)
	ctx, stop := context.WithCancel(context.Background())
	stop()
	var out, talk bytes.Buffer
	if code := execute(ctx, []string{"analyze", "model.onnx", "model.onnx"}, &out, &talk); code == exitDone || out.Len() > 0 {
		t.Errorf("exit code %d, printed %q, said %q", code, out.String(), talk.String())
	}
}

// TestAnalyzeJSON checks the document: measures that mean nothing are null, heat maps have every position, and blocks come close to their source.
func TestAnalyzeJSON(t *testing.T) {
	workshop(t)
	writeFilters(t, "source.onnx", "pointwise")
	converted := succeedJSON[rcfreeze.Converted](t, "convert", "source.onnx", "-o", "blocks.onnx", "-E", "2")
	a := succeedJSON[rcfreeze.Analysis](t, "analyze", "blocks.onnx", "source.onnx")
	lost := map[string]float64{}
	for _, c := range converted.Convolutions {
		if c.Error != nil {
			lost[c.Node] = *c.Error
		}
	}
	for i, l := range a.Layers {
		e := a.Compared.Errors[i]
		if want := lost[l.Name]; l.Name != "box" && (e == nil || math.Abs(*e-want) > 1e-5) {
			t.Errorf("%s: relative error %v, convert says %v", l.Name, e, want)
		}
		if (l.FVERatio == nil) != (l.Name == "few" || l.Name == "box") {
			t.Errorf("%s: ratio %v", l.Name, l.FVERatio)
		}
	}
	if h := a.Compared.HeatMaps; len(h) != 1 || h[0].Kernels != 264 || len(h[0].Variance) != 9 {
		t.Errorf("heat maps %+v", h)
	}
	if a.Compared.Shift == nil || *a.Compared.Shift <= 0 || len(a.Compared.Components) != 9 || a.Compared.KernelsA != 264 {
		t.Errorf("compared: %+v", a.Compared.Divergence)
	}
	for _, text := range []string{`"fve_ratio": null`, `"heat_maps": [`} {
		if out := succeed(t, "analyze", "source.onnx", "--json"); !strings.Contains(out, text) {
			t.Errorf("the JSON lacks %q:\n%s", text, out)
		}
	}
}
