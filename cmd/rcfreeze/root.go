package main

import (
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// subcommands makes every subcommand, in the order in which help lists them.
var subcommands = []func(*printer) *cobra.Command{
	newNew, newInspect, newConvert, newCalibrate, newTrain, newEval, newPredict, newCompare, newExport, newDoctor,
}

func newRoot(p *printer) *cobra.Command {
	root := &cobra.Command{
		Use:   "rcfreeze",
		Short: "Frozen random convolutions for ONNX models",
		Long: `rcfreeze turns the spatial convolutions of an ONNX model into frozen blocks (a fixed random filter bank
and a trainable 1×1 convolution), trains them on stock ONNX Runtime, compares them with the original,
and merges them back into plain convolutions.

Results go to standard output: tables, or with --json one JSON document. All else goes to standard error.

A model is read from standard input where MODEL is -, and written to standard output with -o -: results then go to
standard error, too.`,
		Version:       version(),
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.CompletionOptions.HiddenDefaultCmd = true
	root.PersistentFlags().BoolVar(&p.json, "json", false, "print the result as one JSON document")
	root.SuggestionsMinimumDistance = 2
	root.SetGlobalNormalizationFunc(flagName)
	for _, make := range subcommands {
		cmd := make(p)
		tellWorkApart(cmd)
		root.AddCommand(cmd)
	}
	return root
}

// onlyCommands refuses what is no subcommand, and tells which one may be meant.
func onlyCommands(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	meant := "rcfreeze --help lists the commands"
	if similar := root.SuggestionsFor(args[0]); len(similar) > 0 {
		meant = "did you mean " + strings.Join(similar, " or ") + "?"
	}
	return fmt.Errorf("unknown command %q: %s", args[0], meant)
}

// aliases are other names of flags, as other training programs call them.
var aliases = map[string]string{
	"opt":       "optimizer",
	"sched":     "scheduler",
	"smoothing": "label-smoothing",
}

// flagName returns the name of the flag that the user means.
func flagName(_ *pflag.FlagSet, name string) pflag.NormalizedName {
	name = strings.ReplaceAll(name, "_", "-")
	if long, ok := aliases[name]; ok {
		name = long
	}
	return pflag.NormalizedName(name)
}

// version returns the module's version that the program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
