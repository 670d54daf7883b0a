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

func (s setting) String() string {
	switch s.value {
	case "true":
		return "with --" + s.flag
	case "false":
		return "without --" + s.flag
	}
	return fmt.Sprintf("with --%s %s", s.flag, s.value)
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
			var list []string
			for _, s := range n.others {
				list = append(list, s.String())
			}
			faults = append(faults, fmt.Errorf("--%s: has an effect only %s: change those flags, or leave this one out", f.Name, strings.Join(list, ", or ")))
		}
	})
	return usage(faults...)
}
