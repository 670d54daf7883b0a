package parameter_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestSelectionOfParameters chooses what trains by variant, and by patterns that count more.
func TestSelectionOfParameters(t *testing.T) {
	blocks := transformtest.Converted(t, convcases.Named("bias"), transform.Options{Between: transform.BatchNorm})
	source := convcases.Named("bias").Model()
	all := []string{"conv.bias", "conv.norm.scale", "conv.norm.shift", "conv.pointwise"}
	without := func(names ...string) []string {
		return slices.DeleteFunc(slices.Clone(all), func(name string) bool { return slices.Contains(names, name) })
	}
	for _, c := range []struct {
		name      string
		m         *onnxgraph.Model
		selection parameter.Selection
		want      []string // sorted
		fault     string
	}{
		{"frozen", blocks, parameter.Selection{Variant: parameter.Frozen}, all, ""},
		{"learned", blocks, parameter.Selection{Variant: parameter.Learned}, append([]string{"conv.bank"}, all...), ""},
		{"baseline", source, parameter.Selection{Variant: parameter.Baseline}, []string{"conv.bias", "conv.weight"}, ""},
		{"frozen baseline", source, parameter.Selection{Variant: parameter.FrozenBaseline}, []string{"conv.bias"}, ""},
		{"no variant", source, parameter.Selection{Variant: "other"}, nil, `no variant "other"`},
		{"train the bank", blocks, parameter.Selection{Variant: parameter.Frozen, Train: []string{"conv.bank"}}, append([]string{"conv.bank"}, all...), ""},
		{"train counts more", blocks, parameter.Selection{Variant: parameter.Frozen, Train: []string{"*.bias"}, Freeze: []string{"*"}}, []string{"conv.bias"}, ""},
		{"statistics", blocks, parameter.Selection{Variant: parameter.Frozen, Train: []string{"*.mean"}}, nil, `--train "*.mean" matches running statistics only`},
		{"the other statistics", blocks, parameter.Selection{Variant: parameter.Frozen, Freeze: []string{"*.var"}}, nil, `--freeze "*.var" matches running statistics only`},
		{"statistics, and more", blocks, parameter.Selection{Variant: parameter.Frozen, Freeze: []string{"*.s*"}}, without("conv.norm.scale", "conv.norm.shift"), ""},
		{"statistics, and one more", blocks, parameter.Selection{Variant: parameter.Learned, Freeze: []string{"*a*"}}, []string{"conv.norm.shift", "conv.pointwise"}, ""},
	} {
		got, err := c.selection.Trained(c.m)
		slices.Sort(got)
		want := slices.Sorted(slices.Values(c.want))
		if !slices.Equal(got, want) || (err != nil) != (c.fault != "") || err != nil && !strings.Contains(err.Error(), c.fault) {
			t.Errorf("%s: %q train, %v; want %q, %s", c.name, got, err, want, c.fault)
		}
	}
	for _, v := range parameter.Variants() {
		if v.HasBlocks() != (v == parameter.Frozen || v == parameter.Learned) || v.Validate() != nil {
			t.Errorf("%s: has blocks: %v, %v", v, v.HasBlocks(), v.Validate())
		}
	}
}

// TestSelectionInBodies trains nothing that is in the body of a node.
func TestSelectionInBodies(t *testing.T) {
	for _, place := range convcases.Places {
		m := convcases.Nest(convcases.Named("bias").Model(), place)
		got, err := parameter.Baseline.Trained(m)
		if err != nil || place.Inside && len(got) > 0 {
			t.Errorf("%s: %q train, %v", place.Name, got, err)
		}
		out, err := parameter.FindLeftOut(m)
		if err != nil || (len(out.Nested) > 0) != place.Inside {
			t.Errorf("%s: left out are %+v, %v", place.Name, out, err)
		}
	}
}
