package transform_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestSelectionOfParameters chooses what trains by variant, and by patterns that count more.
func TestSelectionOfParameters(t *testing.T) {
	blocks := converted(t, cases("bias"), transform.Options{Between: transform.BatchNorm})
	source := cases("bias").Model()
	all := []string{"conv.bias", "conv.norm.scale", "conv.norm.shift", "conv.pointwise"}
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(names, name) })
	}
	for _, c := range []struct {
		name      string
		m         *onnxgraph.Model
		selection transform.Selection
		want      []string // sorted
		fault     string
	}{
		{"frozen", blocks, transform.Selection{Variant: transform.Frozen}, all, ""},
		{"learned", blocks, transform.Selection{Variant: transform.Learned}, append([]string{"conv.bank"}, all...), ""},
		{"baseline", source, transform.Selection{Variant: transform.Baseline}, []string{"conv.bias", "conv.weight"}, ""},
		{"frozen baseline", source, transform.Selection{Variant: transform.FrozenBaseline}, []string{"conv.bias"}, ""},
		{"no variant", source, transform.Selection{Variant: "other"}, nil, `no variant "other"`},
		{"train the bank", blocks, transform.Selection{Variant: transform.Frozen, Train: []string{"conv.bank"}}, append([]string{"conv.bank"}, all...), ""},
		{"train counts more", blocks, transform.Selection{Variant: transform.Frozen, Train: []string{"*.bias"}, Freeze: []string{"*"}}, []string{"conv.bias"}, ""},
		{"statistics", blocks, transform.Selection{Variant: transform.Frozen, Train: []string{"*.mean"}}, nil, `pattern "*.mean" matches running statistics only`},
		{"the other statistics", blocks, transform.Selection{Variant: transform.Frozen, Freeze: []string{"*.var"}}, nil, `pattern "*.var" matches running statistics only`},
		{"statistics, and more", blocks, transform.Selection{Variant: transform.Frozen, Freeze: []string{"*.s*"}}, without("conv.norm.scale", "conv.norm.shift"), ""},
		{"statistics, and one more", blocks, transform.Selection{Variant: transform.Learned, Freeze: []string{"*a*"}}, []string{"conv.norm.shift", "conv.pointwise"}, ""},
	} {
		got, err := c.selection.Trained(c.m)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) || (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %q train, %v; want %q, %s", c.name, got, err, want, c.fault)
		}
	}
	for _, v := range transform.Variants() {
		if v.HasBlocks() != (v == transform.Frozen || v == transform.Learned) || v.Validate() != nil {
			t.Errorf("%s: has blocks: %v, %v", v, v.HasBlocks(), v.Validate())
		}
	}
}

// TestSelectionInBodies trains nothing that is in the body of a node.
func TestSelectionInBodies(t *testing.T) {
	for _, place := range convcases.Places {
		m := convcases.Nest(cases("bias").Model(), place)
		got, err := transform.Baseline.Trained(m)
		if err != nil || place.Inside && len(got) > 0 {
			t.Errorf("%s: %q train, %v", place.Name, got, err)
		}
		out, err := transform.FindLeftOut(m)
		if err != nil || (len(out.Nested) > 0) != place.Inside {
			t.Errorf("%s: left out are %+v, %v", place.Name, out, err)
		}
	}
}
