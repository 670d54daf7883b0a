package transform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestPlanCalibration plans blocks that start by data, and says where that cannot be, in bodies or with filters of too many
// weights. What cannot be converted at all keeps the reason for that.
func TestPlanCalibration(t *testing.T) {
	wide := func(channels, groups, k int64) *onnxgraph.Model {
		return convcases.Case{Input: []int64{1, channels * groups, k, k}, Filters: groups, Groups: groups, Kernel: []int64{k, k}}.Model()
	}
	computed := convcases.Cases[0].Model()
	computed.Graph.MakeInput(computed.Graph.Value(convcases.Weight))
	skipped := transform.Options{Pointwise: transform.Calibrate, Skip: []string{"*"}}
	calibrate := transform.Options{Pointwise: transform.Calibrate}
	nested := convcases.Nest(convcases.Cases[0].Model(), convcases.Places[2])
	for _, c := range []struct {
		name    string
		model   *onnxgraph.Model
		options transform.Options
		reason  string // "" if it is converted
	}{
		{"a convolution", convcases.Cases[0].Model(), calibrate, ""},
		{"in a loop", nested, calibrate, "its inputs cannot be observed"},
		{"in a loop, by projection", nested, transform.Options{}, ""},
		{"in a loop, not chosen", nested, skipped, "not selected"},
		{"a computed weight", computed, calibrate, "its weight"},
		{"many weights", wide(4096, 1, 2), calibrate, ""},
		{"too many weights", wide(4097, 1, 2), calibrate, "too many to weigh by data"},
		{"many weights in two groups", wide(2896, 2, 2), calibrate, ""},
		{"too many weights in two groups", wide(2897, 2, 2), calibrate, "too many to weigh by data"},
		{"many weights in four groups", wide(2048, 4, 2), calibrate, ""},
		{"too many weights in four groups", wide(2049, 4, 2), calibrate, "too many to weigh by data"},
	} {
		report, err := transform.Plan(c.model, c.options)
		if err != nil || len(report) == 0 {
			t.Errorf("%s: %+v, %v", c.name, report, err)
			continue
		}
		if (report[0].Status == transform.Skipped) != (c.reason != "") || !strings.Contains(report[0].Reason, c.reason) {
			t.Errorf("%s: %s for the reason %q, want %q", c.name, report[0].Status, report[0].Reason, c.reason)
		}
	}
}

// watcher notes in which order a conversion asks for data.
type watcher struct {
	oneAll
	calls *[]string
}

func (w watcher) Reach(l transform.Layer) error {
	*w.calls = append(*w.calls, "reach "+l.Name)
	return nil
}

func (w watcher) Moments(l transform.Layer) (projection.Moments, error) {
	*w.calls = append(*w.calls, "moments "+l.Name)
	return w.oneAll.Moments(l)
}

func (w watcher) Replace(l transform.Layer, filters, offset []float64) error {
	*w.calls = append(*w.calls, "replace "+l.Name)
	return nil
}

// TestCalibrationFollowsTheNetwork calibrates convolutions in the order in which the network computes them, whatever their order in
// the file. Those of one weight have their turn at the first of their places.
func TestCalibrationFollowsTheNetwork(t *testing.T) {
	for _, shared := range []bool{false, true} {
		m := onnxgraph.New("net", 8, 18)
		g := m.Graph
		v, err := g.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 3, 12, 12))
		if err != nil {
			t.Fatal(err)
		}
		weights := map[string]*onnxgraph.Value{}
		for i, name := range []string{"a", "b", "c", "d"} {
			weights[name] = g.AddConstant(name+".weight", convcases.Draw(onnxgraph.Float32, uint64(i), 3, 3, 3, 3))
		}
		if shared {
			weights["d"] = weights["a"]
		}
		for _, name := range []string{"d", "b", "a", "c"} { // in the order of the file
			g.AddNode("Conv", []*onnxgraph.Value{nil, weights[name]}).Rename(name)
		}
		for _, i := range []int{2, 1, 3, 0} { // in that of the network
			n := g.Nodes()[i]
			n.SetInput(0, v)
			v = n.Output(0)
		}
		g.AddOutput(v, onnxgraph.Float32, nil)
		var calls []string
		report, err := transform.Convert(m, transform.Options{Pointwise: transform.Calibrate, Calibration: watcher{calls: &calls}})
		if err != nil {
			t.Fatal(err)
		}
		want := []string{"reach a", "moments a", "replace a", "reach b", "moments b", "replace b", "reach c", "moments c", "replace c", "reach d", "moments d", "replace d"}
		if shared {
			want = []string{"reach a", "moments d", "moments a", "replace d", "replace a", "reach b", "moments b", "replace b", "reach c", "moments c", "replace c"}
		}
		if !slices.Equal(calls, want) {
			t.Errorf("shared %v: %q, want %q", shared, calls, want)
		}
		for _, row := range report {
			if row.OutputError == nil || row.Error == nil || row.Condition != nil {
				t.Errorf("shared %v: %+v", shared, row)
			}
		}
	}
}
