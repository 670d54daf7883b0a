package main

import (
	"os"
	"regexp"
	"testing"
)

// TestVerbose checks what commands tell of how they run a model: the memory always, the rest if asked.
func TestVerbose(t *testing.T) {
	workshop(t)
	succeed(t, "convert", "model.onnx", "-o", "blocks.onnx", "-E", "2")
	const (
		library   = `ONNX Runtime 1\.\d+\.\d+ \(.+\) on provider cpu\n`
		operators = `run on (blocked|portable) operators.*; 0 frozen blocks run as two convolutions, 2 merged into one\n`
		memory    = `memory for steps of 8 images: about [\d.]+ MB, of which [\d.]+ MB for activations and gradients`
		evaluated = `0 frozen blocks run as two convolutions, 2 merged into one\n`
	)
	for _, c := range []struct {
		args          []string
		always, asked []string
	}{
		{trainArgs("blocks.onnx", "out.onnx", "--block-form", "merged"), []string{memory}, []string{library, operators}},
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
