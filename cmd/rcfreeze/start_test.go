package main

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/rcfreeze/rcfreeze"
)

// TestSameStart trains variants by convert and train, and by compare: both give the same model, to the byte.
func TestSameStart(t *testing.T) {
	workshop(t)
	writeBands(t, "labels", 4)
	const seed = "3"
	for i, c := range []struct {
		variant, expansion string
		made               string // seed of convert, if another
		head, convert      []string
		train              []string
	}{
		{variant: "baseline"},
		{variant: "baseline", train: []string{"--reinit"}},
		{variant: "baseline", head: []string{"--num-classes", "4"}},
		{variant: "frozen-baseline"},
		{variant: "frozen-baseline", train: []string{"--reinit"}},
		{variant: "frozen", expansion: "2"},
		{variant: "frozen", expansion: "2", train: []string{"--reinit"}},
		{variant: "frozen", expansion: "1", convert: []string{"--pointwise", "random", "--layout", "depthwise"}},
		{variant: "frozen", expansion: "1", convert: []string{"--pointwise", "identity"}, train: []string{"--reinit"}},
		{variant: "learned", expansion: "2", convert: []string{"--bank", "orthogonal"}},
		{variant: "learned", expansion: "2", made: "9", convert: []string{"--bank", "orthogonal"}, train: []string{"--reinit"}},
		{variant: "learned", expansion: "1", made: "9", convert: []string{"--pointwise", "identity"}, train: []string{"--reinit"}},
		{variant: "learned", expansion: "1", head: []string{"--num-classes", "4"}, convert: []string{"--pointwise", "random", "--bank", "kaiming-normal"}, train: []string{"--reinit"}},
	} {
		t.Run(fmt.Sprintf("%s x%s %v %v %v", c.variant, c.expansion, c.head, c.convert, c.train), func(t *testing.T) {
			data := "bands"
			if c.head != nil {
				data = "labels"
			}
			recipe := append([]string{"--data", data, "--epochs", "1", "-b", "8", "--lr", "0.03", "--epsilon", "1/255"}, c.train...)
			folder := fmt.Sprintf("compare%d", i)
			compared := append(append([]string{"compare", "model.onnx", "-o", folder, "--variants", c.variant, "--seeds", seed}, recipe...), append(c.head, c.convert...)...)
			model, trained := "model.onnx", append([]string{"--variant", c.variant, "--seed", seed}, recipe...)
			if c.expansion == "" {
				trained = append(trained, c.head...)
			} else {
				compared = append(compared, "-E", c.expansion)
				model = fmt.Sprintf("blocks%d.onnx", i)
				succeed(t, append(append([]string{"convert", "model.onnx", "-o", model, "-E", c.expansion, "--seed", cmp.Or(c.made, seed)}, c.convert...), c.head...)...)
			}
			output := fmt.Sprintf("out%d.onnx", i)
			one := succeedJSON[rcfreeze.Trained](t, append([]string{"train", model, "-o", output}, trained...)...)
			other := succeedJSON[rcfreeze.Comparison](t, compared...)
			if !bytes.Equal(read(t, output), read(t, filepath.Join(folder, other.Runs[0].Folder, "model.onnx"))) {
				t.Error("train and compare give different models")
			}
			if r := other.Runs[0].Result; r.Loss != one.Result.Loss || r.Top1 != one.Result.Top1 || *r.RobustTop1 != *one.Result.RobustTop1 {
				t.Errorf("train measures %+v, compare %+v", one.Result, r)
			}
			if _, err := os.Stat(folder + "/comparison.csv"); err != nil {
				t.Error(err)
			}
		})
	}
}
