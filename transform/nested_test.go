package transform_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
)

// TestNested converts, merges and folds in bodies of operators and in functions: names are unique in the whole model, and
// filters that a body reads from outside stay for it.
func TestNested(t *testing.T) {
	orttest.Init(t)
	for _, c := range []convcases.Case{convcases.Named("bias"), convcases.Named("2 groups"), convcases.Named("same lower, even kernel, stride")} {
		for _, place := range convcases.Places {
			for _, hasNorm := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%v", c.Name, place.Name, hasNorm), func(t *testing.T) {
					t.Parallel()
					flat := c.Model()
					if hasNorm {
						transformtest.AddNorm(flat, c.Filters)
						transformtest.DisturbNorm(t, flat)
					}
					want := transformtest.Evaluate(t, flat, c.Data())
					nestedEqualsFlat(t, convcases.Nest(flat, place), place, c, want)
				})
			}
		}
	}
}

func nestedEqualsFlat(t *testing.T, m *onnxgraph.Model, place convcases.Place, c convcases.Case, want convcases.Array) {
	compare := func(what string) {
		t.Helper()
		m = transformtest.Reloaded(t, m)
		if d := transformtest.Difference(t, transformtest.Execute(t, m, c.Data()), want); d > 1e-5 {
			t.Errorf("%s: differs by %.2g", what, d)
		}
	}
	compare("nested")
	_, parameters, _ := transformtest.Census(m)
	report, err := transform.Convert(m, spanning(c, transform.Depthwise, transform.BatchNorm))
	if err != nil || len(report) == 0 {
		t.Fatalf("%+v, %v", report, err)
	}
	for _, row := range report {
		if row.Graph == "" || (row.Status == transform.Converted) != place.Rewritten {
			t.Errorf("%+v", row)
		}
		if !place.Rewritten && (!strings.Contains(row.Reason, "inline") || !strings.Contains(row.Reason, row.Graph)) {
			t.Errorf("the reason does not say what to do about which function: %s", row.Reason)
		}
	}
	compare("converted")
	blocks, err := transform.Blocks(m)
	if err != nil || place.Rewritten && len(blocks) != len(report) {
		t.Errorf("%d blocks of %d convolutions, %v", len(blocks), len(report), err)
	}
	outcomes, err := transform.Merge(m)
	for _, o := range outcomes {
		if o.Status != transform.Merged {
			t.Errorf("%+v", o)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	compare("merged")
	if _, merged, _ := transformtest.Census(m); merged != parameters && !strings.Contains(place.Name, "branches") {
		t.Errorf("%d parameters after merging, %d before", merged, parameters)
	}
	if _, err := normalization.Fold(m); err != nil {
		t.Fatal(err)
	}
	operators, _, _ := transformtest.Census(m)
	if place.Rewritten && operators["BatchNormalization"] > 0 {
		t.Errorf("%d normalizations are left", operators["BatchNormalization"])
	}
	compare("folded")
}

// TestFunctionParameters leaves alone what depends on parameters of a function: groups and epsilon are what a caller gives.
func TestFunctionParameters(t *testing.T) {
	flat := convcases.Named("2 groups").Model()
	transformtest.AddNorm(flat, 6)
	data, err := convcases.Nest(flat, convcases.Places[6]).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name              string
		plain, referenced string // an attribute's message, of the same length
		converts, folds   bool
	}{
		{"group", "\n\x05group\x18\x02\xa0\x01\x02", "\n\x05group\xaa\x01\x02gg", false, false},
		{"epsilon", "\n\x07epsilon\x15o\x12\x83:\xa0\x01\x01", "\n\x07epsilon\xaa\x01\x05small", true, false},
	} {
		if n := strings.Count(string(data), c.plain); n != 1 {
			t.Fatalf("%s: the attribute is there %d times", c.name, n)
		}
		m, err := onnxgraph.Parse([]byte(strings.Replace(string(data), c.plain, c.referenced, 1)), "")
		if err != nil {
			t.Fatal(err)
		}
		folded, err := normalization.Fold(m)
		if err != nil || (folded[0].Status == transform.Folded) != c.folds || !c.folds && !strings.Contains(folded[0].Reason, c.name) {
			t.Errorf("%s: folding: %+v, %v", c.name, folded, err)
		}
		report, err := transform.Convert(m, transform.Options{})
		if err != nil || (report[0].Status == transform.Converted) != c.converts || !c.converts && !strings.Contains(report[0].Reason, c.name) {
			t.Errorf("%s: converting: %+v, %v", c.name, report, err)
		}
	}
}
