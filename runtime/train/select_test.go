package train_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform"
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
		{train.Recipe{Freeze: []string{"*"}}, nil, "no parameter that trains"},
	} {
		m := leNet(t)
		err := c.recipe.Select(m, transform.Baseline)
		switch slices.Sort(c.recipe.Trained); {
		case c.fault == "" && (err != nil || !slices.Equal(c.recipe.Trained, c.want)):
			t.Errorf("%v train (%v), want %v", c.recipe.Trained, err, c.want)
		case c.fault != "" && (err == nil || !strings.Contains(err.Error(), c.fault)):
			t.Errorf("got error %v, want one with %q", err, c.fault)
		}
	}
}
