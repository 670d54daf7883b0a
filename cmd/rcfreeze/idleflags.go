package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// needs says that some flags have an effect only if one of other flags has a certain value. Commands themselves report flags that
// need --data.
type needs struct {
	flags  []string
	others []setting
}

// setting is a flag with a value.
type setting struct{ flag, value string }

// on writes the setting as a user does who gives the flag.
func (s setting) on() string {
	if s.value == "true" || s.value == "false" {
		return "--" + s.flag
	}
	return fmt.Sprintf("--%s %s", s.flag, s.value)
}

// fault says that a flag has no effect, since none of the others has its value, and what to do.
func (n needs) fault(flag string) error {
	var unwanted, wanted []string
	for _, s := range n.others {
		if s.value == "false" {
			unwanted = append(unwanted, s.on())
		} else {
			wanted = append(wanted, s.on())
		}
	}
	add := strings.Join(wanted, " or ")
	if unwanted == nil {
		return fmt.Errorf("--%s has no effect without %s: add that, or leave --%[1]s out", flag, add)
	}
	return fmt.Errorf("--%s has no effect with %s: leave one of them out, or add %s", flag, strings.Join(unwanted, " and "), add)
}

// whenNeeded lists all flags that have no effect on some command lines.
var whenNeeded = []needs{
	{[]string{"step-epochs", "step-factor"}, []setting{{"scheduler", "step"}}},
	{[]string{"momentum", "nesterov"}, []setting{{"optimizer", "sgd"}}},
	{[]string{"device", "tf32"}, []setting{{"provider", "cuda"}, {"provider", "auto"}}},
	{[]string{"time-runs"}, []setting{{"time", "true"}}},
	{[]string{"tolerance"}, []setting{{"no-verify", "false"}, {"second-opinion", "true"}}},
	{[]string{"inputs", "verify-batch"}, []setting{{"no-verify", "false"}, {"second-opinion", "true"}, {"time", "true"}}},
}

// checkIdle returns an error that lists flags without effect beside the others on the command line.
func checkIdle(cmd *cobra.Command) error {
	var faults []error
	cmd.Flags().Visit(func(f *pflag.Flag) {
		for _, n := range whenNeeded {
			given := func(s setting) bool {
				other := cmd.Flags().Lookup(s.flag)
				return other != nil && other.Value.String() == s.value
			}
			if !slices.Contains(n.flags, f.Name) || slices.ContainsFunc(n.others, given) {
				continue
			}
			faults = append(faults, n.fault(f.Name))
		}
	})
	return usage(faults...)
}
