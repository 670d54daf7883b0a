package transform_test

import (
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/convcases"
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
		{"in a loop", nested, calibrate, "its data cannot be seen"},
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
