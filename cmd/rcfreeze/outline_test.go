package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// TestVerbose checks what commands tell of how they run a model: the memory always, the rest if asked.
func TestVerbose(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx", "-E", "2")
	const (
		library   = `ONNX Runtime 1\.\d+\.\d+ \(.+\) on provider cpu\n`
		operators = `run on (blocked|portable) operators.*; 0 frozen blocks run as two convolutions, 2 folded into one\n`
		memory    = `memory for steps of 8 images: about [\d.]+ MB, of which [\d.]+ MB for activations and gradients`
		evaluated = `0 frozen blocks run as two convolutions, 2 folded into one\n`
	)
	for _, c := range []struct {
		args          []string
		always, asked []string
	}{
		{trainArgs("blocks.onnx", "out.onnx", "--block-form", "folded"), []string{memory}, []string{library, operators}},
		{append([]string{"compare", "model.onnx", "-o", "report", "--variants", "frozen", "-E", "2"}, quick...), []string{memory}, []string{library, operators}},
		{[]string{"eval", "blocks.onnx", "--data", "bands"}, nil, []string{library, evaluated}},
		{[]string{"export", "blocks.onnx", "-o", "merged.onnx"}, nil, []string{library}},
	} {
		for _, verbose := range []bool{false, true} {
			args := c.args
			if verbose {
				args = append(args[:len(args):len(args)], "-v")
			}
			os.RemoveAll("out.run")
			os.RemoveAll("report")
			_, talk, code := call(args...)
			if code != exitDone {
				t.Errorf("%v: exit code %d: %s", args, code, talk)
			}
			for _, want := range c.always {
				if !regexp.MustCompile(want).MatchString(talk) {
					t.Errorf("%v says %q, want %s", args, talk, want)
				}
			}
			for _, want := range c.asked {
				if regexp.MustCompile(want).MatchString(talk) != verbose {
					t.Errorf("%v says %q, want %s: %v", args, talk, want, verbose)
				}
			}
		}
	}
}

// TestMemoryOutline checks what is told of memory by how much is free.
func TestMemoryOutline(t *testing.T) {
	m := train.Memory{Images: 100, Values: 900e6, Batches: 100e6, Parameters: 1e6, State: 3e6}
	for _, c := range []struct {
		free int64
		want string
	}{
		{0, `about 1.0 GB, .*\n$`},
		{20e9, `\n20\.0 GB are free, enough for about 1,500 images\n$`},
		{1255e6, `\n1\.3 GB are free, enough for about 100 images\n$`},
		{1254e6, `only 1\.3 GB are free, enough for about 99 images: with a smaller --batch-size, --grad-accum-steps`},
		{1e6, `only 1\.0 MB are free, enough for about 0 images: `},
	} {
		var talk strings.Builder
		m.Free = c.free
		(&printer{stderr: &talk}).outline(train.Outline{Memory: m}, false)
		if !regexp.MustCompile(c.want).MatchString(talk.String()) {
			t.Errorf("with %d bytes free: %q, want %s", c.free, talk.String(), c.want)
		}
	}
}
