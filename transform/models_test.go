package transform_test

import (
	"maps"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestModels converts and merges every model at hand, in several ways: the merged model must have the operators, and the
// constants' names and sizes, of the source.
func TestModels(t *testing.T) {
	for _, path := range transformtest.ModelFiles(t) {
		for name, o := range map[string]transform.Options{
			"dense":     {Pointwise: transform.Random},
			"depthwise": {Pointwise: transform.Random, Layout: transform.Depthwise, Expansion: 2, Between: transform.BatchNorm},
			"identity":  {Pointwise: transform.Identity},
		} {
			t.Run(filepath.Base(path)+"/"+name, func(t *testing.T) { convertAndMerge(t, path, o) })
		}
	}
}

func convertAndMerge(t *testing.T, path string, o transform.Options) {
	m, err := onnxgraph.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	operators, parameters, _ := transformtest.Census(m)
	plan, err := transform.Plan(m, o)
	if err != nil {
		t.Fatal(err)
	}
	report, err := transform.Convert(m, o)
	if err != nil {
		t.Log(err)
		return
	}
	converted := 0
	for i, row := range report {
		if row.Status == transform.Converted {
			converted++
		}
		if row.Status != plan[i].Status || row.After != plan[i].After {
			t.Errorf("the plan said %+v, the conversion %+v", plan[i], row)
		}
		if row.Status == transform.Skipped && row.Reason == "" {
			t.Errorf("skipped without a reason: %+v", row)
		}
	}
	m = transformtest.Parsed(t, m) // some hold what nothing uses
	blocks, err := transform.Blocks(m)
	if err != nil || len(blocks) != converted {
		t.Fatalf("%d blocks for %d conversions, %v", len(blocks), converted, err)
	}
	weights := map[string]bool{}
	for _, b := range blocks {
		weights[b.Record.SourceWeight] = true
	}
	outcomes, err := transform.Merge(m)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range outcomes {
		if row.Status != transform.Merged {
			t.Errorf("not merged: %+v", row)
		}
	}
	m = transformtest.Parsed(t, m)
	mergedOperators, mergedParameters, _ := transformtest.Census(m)
	shared := len(weights) < converted // each convolution has a weight of its own afterwards
	const filler = "ConstantOfShape"   // filters that it made are constants afterwards
	shared = shared || mergedOperators[filler] < operators[filler]
	delete(operators, filler)
	delete(mergedOperators, filler)
	if !maps.Equal(mergedOperators, operators) || mergedParameters != parameters && !shared {
		t.Errorf("merged: %v with %d parameters; source: %v with %d", mergedOperators, mergedParameters, operators, parameters)
	}
}

// TestParametersOfModels draws the parameters of every model at hand anew.
func TestParametersOfModels(t *testing.T) {
	for _, path := range transformtest.ModelFiles(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			parameters, err := parameter.List(m)
			if err != nil {
				t.Fatal(err)
			}
			counts, numbers := map[parameter.Role]int{}, map[parameter.Role]int64{}
			for _, p := range parameters {
				counts[p.Role]++
				numbers[p.Role] += p.Value.Constant().Len()
			}
			t.Logf("constants %v, numbers %v", counts, numbers)
			drawn, err := parameter.Reinit(m, parameter.ReinitOptions{Seed: 1})
			if err != nil || len(drawn) != len(parameters)-counts[parameter.RoleConstant] {
				t.Errorf("drew %d, %v", len(drawn), err)
			}
		})
	}
}
