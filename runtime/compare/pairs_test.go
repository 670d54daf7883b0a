package compare

import (
	"math"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// runs makes rows of one variant: a top-1 accuracy for each seed.
func runs(v parameter.Variant, top1 map[uint64]float64) []Row {
	var rows []Row
	for seed, value := range top1 {
		r := Row{Cell: Cell{Variant: v, Seed: seed}}
		r.Top1 = value
		if value < 0 {
			r.Failed = "it diverged"
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(a, b Row) int { return compareCells(a.Cell, b.Cell) })
	return rows
}

func TestMinus(t *testing.T) {
	for name, c := range map[string]struct {
		a, b map[uint64]float64
		want Spread
	}{
		"no run":                   {nil, map[uint64]float64{1: 0.5}, Spread{}},
		"no common seed":           {map[uint64]float64{1: 0.5, 2: 0.5}, map[uint64]float64{3: 0.5}, Spread{}},
		"one seed":                 {map[uint64]float64{1: 0.75}, map[uint64]float64{1: 0.5}, Spread{1, 0.25, 0}},
		"one common seed":          {map[uint64]float64{1: 0.75, 2: 0}, map[uint64]float64{1: 0.5, 3: 1}, Spread{1, 0.25, 0}},
		"a failed run":             {map[uint64]float64{1: 0.75, 2: -1}, map[uint64]float64{1: 0.5, 2: 0.5}, Spread{1, 0.25, 0}},
		"equal differences":        {map[uint64]float64{1: 0.75, 2: 0.5, 7: 1}, map[uint64]float64{7: 0.75, 2: 0.25, 1: 0.5}, Spread{3, 0.25, 0}},
		"differences of -1/4, 1/4": {map[uint64]float64{1: 0.25, 2: 0.75}, map[uint64]float64{1: 0.5, 2: 0.5}, Spread{2, 0, math.Sqrt(2) / 4}},
		"differences of 0, 1/2, 1": {map[uint64]float64{1: 0.5, 2: 0.5, 3: 1}, map[uint64]float64{1: 0.5, 2: 0, 3: 0}, Spread{3, 0.5, 0.5}},
	} {
		groups := Groups(append(runs("frozen", c.a), runs("baseline", c.b)...))
		var a, b Group
		for _, g := range groups {
			if g.Variant == "frozen" {
				a = g
			} else {
				b = g
			}
		}
		got := a.Minus(b, Top1)
		if got.Seeds != c.want.Seeds || math.Abs(got.Mean-c.want.Mean) > 1e-15 || math.Abs(got.Std-c.want.Std) > 1e-15 {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}

func TestMarks(t *testing.T) {
	for name, c := range map[string]struct {
		a, b, c map[uint64]float64
		sign    float64
		want    string // marks of a, b, c
	}{
		"clear":                            {map[uint64]float64{1: 0.9, 2: 0.8}, map[uint64]float64{1: 0.6, 2: 0.5}, map[uint64]float64{1: 0.3, 2: 0.2}, 1, "12-"},
		"clear, though seeds differ more":  {map[uint64]float64{1: 0.9, 2: 0.1}, map[uint64]float64{1: 0.8, 2: 0}, nil, 1, "1-"},
		"lower is better":                  {map[uint64]float64{1: 0.9, 2: 0.8}, map[uint64]float64{1: 0.6, 2: 0.5}, map[uint64]float64{1: 0.3, 2: 0.2}, -1, "-21"},
		"one seed":                         {map[uint64]float64{1: 0.9}, map[uint64]float64{1: 0.6}, map[uint64]float64{1: 0.3}, 1, "---"},
		"one common seed":                  {map[uint64]float64{1: 0.9, 2: 0.9}, map[uint64]float64{2: 0.3, 3: 0.3}, nil, 1, "--"},
		"equal":                            {map[uint64]float64{1: 0.5, 2: 0.6}, map[uint64]float64{1: 0.5, 2: 0.6}, nil, 1, "--"},
		"best is not clear of the second":  {map[uint64]float64{1: 0.9, 2: 0.5}, map[uint64]float64{1: 0.5, 2: 0.7}, map[uint64]float64{1: 0.1, 2: 0.1}, 1, "---"},
		"best is not clear of the third":   {map[uint64]float64{1: 0.9, 2: 0.8}, map[uint64]float64{1: 0.8, 2: 0.7}, map[uint64]float64{1: 0.4, 2: 0.8}, 1, "---"},
		"second is not clear of the third": {map[uint64]float64{1: 0.9, 2: 0.9}, map[uint64]float64{1: 0.5, 2: 0.6}, map[uint64]float64{1: 0.6, 2: 0.4}, 1, "1--"},
		"best failed for one seed":         {map[uint64]float64{1: 0.9, 2: -1}, map[uint64]float64{1: 0.5, 2: 0.5}, nil, 1, "--"},
		"third failed":                     {map[uint64]float64{1: 0.9, 2: 0.8}, map[uint64]float64{1: 0.6, 2: 0.5}, map[uint64]float64{1: -1, 2: -1}, 1, "1--"},
		// The differences are 0.2 and 0: their mean is one standard error. With 0.75 and 0.25, it is two, which is not more.
		"one standard error":        {map[uint64]float64{1: 0.7, 2: 0.5}, map[uint64]float64{1: 0.5, 2: 0.5}, nil, 1, "--"},
		"two standard errors":       {map[uint64]float64{1: 0.75, 2: 0.25}, map[uint64]float64{1: 0, 2: 0}, nil, 1, "--"},
		"above two standard errors": {map[uint64]float64{1: 0.75, 2: 0.3125}, map[uint64]float64{1: 0, 2: 0}, nil, 1, "1-"},
	} {
		rows := append(append(runs("baseline", c.a), runs("frozen", c.b)...), runs("learned", c.c)...)
		got := ""
		for _, m := range Marks(Groups(rows), Top1, c.sign) {
			got += map[Mark]string{NoMark: "-", Best: "1", Second: "2"}[m]
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestFlags(t *testing.T) {
	plain := Blocks{Expansion: 2, KernelSize: 3, Between: "none", Layout: "dense", Bank: "kaiming", Pointwise: "random"}
	relu, large := plain, plain
	relu.Between, large.Expansion = "relu", 8
	for _, c := range []struct {
		all  []Blocks
		of   Blocks
		want string
	}{
		{[]Blocks{plain, large}, large, " -E 8"},
		{[]Blocks{{}, plain, relu}, relu, " -E 2 --between relu"},
		{[]Blocks{{}, plain, relu}, plain, " -E 2 --between none"},
		{[]Blocks{{}, plain, relu}, Blocks{}, ""},
		{[]Blocks{{}}, Blocks{}, ""},
	} {
		if got := c.of.Flags(DistinctFlags(c.all)); got != c.want {
			t.Errorf("%+v among %+v: %q, want %q", c.of, c.all, got, c.want)
		}
	}
}
