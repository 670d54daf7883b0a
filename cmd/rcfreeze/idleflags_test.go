package main

import (
	"strings"
	"testing"
)

// TestIdleFlags gives flags beside which another one is missing: they are refused, all of them, before any work. With the other they
// are not.
func TestIdleFlags(t *testing.T) {
	workshop(t)
	const train, export, convert = "train model.onnx -o out.onnx --data bands", "export model.onnx -o out.onnx", "convert model.onnx -o out.onnx"
	for _, c := range []struct{ line, refused string }{
		{train + " --step-epochs 3 --step-factor 0.5", "--step-epochs --step-factor"},
		{train + " --sched linear --step-epochs 3", "--step-epochs"},
		{train + " --scheduler step --step-epochs 3 --step-factor 0.5 --data none", ""},
		{train + " --opt adamw --momentum 0.5 --nesterov", "--momentum --nesterov"},
		{train + " --momentum 0.5 --data none", ""},
		{train + " --tf32 --device 1", "--tf32 --device"},
		{"compare model.onnx -o run --data bands --tf32", "--tf32"},
		{"eval model.onnx --data none --tf32 --provider auto", ""},
		{export + " --time-runs 3", "--time-runs"},
		{export + " --time-runs 3 --time --source none", ""},
		{export + " --no-verify --tolerance 0.1 --verify-batch 1 --inputs x.npz", "--tolerance --verify-batch --inputs"},
		{export + " --no-verify --time --tolerance 0.1 --verify-batch 1", "--tolerance"},
		{export + " --no-verify --second-opinion --tolerance 0.1 --verify-batch 1 --source none", ""},
		{convert + " --threads 1 --provider auto", "--threads --provider"},
		{convert + " --seed 1", ""},
	} {
		_, stderr, code := call(strings.Fields(c.line)...)
		if (code == exitUsage) != (c.refused != "") {
			t.Errorf("%s: exit code %d: %s", c.line, code, stderr)
		}
		for line, advice := range map[string]string{
			"--time-runs": "--time-runs has no effect without --time: add that, or leave --time-runs out",
			"--tf32":      "--tf32 has no effect without --provider cuda or --provider auto: add that, or leave --tf32 out",
			"--tolerance": "--tolerance has no effect with --no-verify: leave one of them out, or add --second-opinion",
		} {
			if c.refused == line && !strings.Contains(stderr, advice) {
				t.Errorf("%s: the error does not say what helps: %s", c.line, stderr)
			}
		}
		for _, flag := range strings.Fields(c.refused) {
			if !strings.Contains(stderr, flag) {
				t.Errorf("%s: the error does not name %s: %s", c.line, flag, stderr)
			}
		}
	}
}
