package train_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestSelectPatterns chooses what trains by patterns, also together with where training starts.
func TestSelectPatterns(t *testing.T) {
	for _, c := range []struct {
		recipe train.Recipe
		want   []string
		fault  string
	}{
		{train.Recipe{Freeze: []string{"*"}, Train: []string{"fc3.*"}}, []string{"fc3.bias", "fc3.weight"}, ""},
		{train.Recipe{TrainFrom: "relu3", Freeze: []string{"*.bias"}}, []string{"fc2.weight", "fc3.weight"}, ""},
		{train.Recipe{TrainFrom: "relu3", Train: []string{"conv1.*"}}, nil, `training what matches "conv1.*"`},
		{train.Recipe{TrainFrom: "relu3", Train: []string{"fc9"}}, nil, `"fc9" matches`},
		{train.Recipe{Train: []string{"fc9"}}, nil, `"fc9" matches`},
		{train.Recipe{Freeze: []string{"fc9"}}, nil, `"fc9" matches`},
		{train.Recipe{TrainFrom: "relu3", Freeze: []string{"fc9"}}, nil, `"fc9" matches`},
		{train.Recipe{TrainFrom: "nowhere"}, nil, `"nowhere"`},
		{train.Recipe{TrainFrom: "fc3"}, nil, "fc3"},
		{train.Recipe{Freeze: []string{"*"}}, nil, "no parameter that trains"},
	} {
		m := leNet(t)
		err := c.recipe.Select(m, parameter.Baseline)
		switch slices.Sort(c.recipe.Trained); {
		case c.fault == "" && (err != nil || !slices.Equal(c.recipe.Trained, c.want)):
			t.Errorf("%v train (%v), want %v", c.recipe.Trained, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("got error %v, want one with %q", err, c.fault)
		}
	}
}

// TestCount counts parameters by hand: all that is learned, banks as well, and no running statistics.
func TestCount(t *testing.T) {
	m := linear(t)
	norm := resNet(t)
	all, among, err := train.Count(m, []string{"weight", "nowhere"})
	if err != nil || all != (side*side+1)*classes || among != side*side*classes {
		t.Errorf("got %d and %d, %v", all, among, err)
	}
	var want int64
	parameters, err := parameter.List(norm)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range parameters {
		if p.Role != parameter.RoleRunningMean && p.Role != parameter.RoleRunningVar {
			want += p.Value.Constant().Len()
		}
	}
	if all, among, err := train.Count(norm, nil); err != nil || all != want || among != 0 {
		t.Errorf("with norms: got %d and %d, %v; want %d and 0", all, among, err, want)
	}
	before, _, err := train.Count(resNet(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if all, _, err := train.Count(converted(t, resNet(t), transform.Options{Expansion: 2}), nil); err != nil || all <= before {
		t.Errorf("with frozen blocks of twice the width there are %d parameters, and %d without, %v", all, before, err)
	}
}
