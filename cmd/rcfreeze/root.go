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
	newNew, newInspect, newConvert, newTrain, newCalibrate, newEval, newPredict, newCompare, newExport, newDoctor,
}

func newRoot(p *printer) *cobra.Command {
	cobra.EnableCommandSorting = false
	root := &cobra.Command{
		Use:   "rcfreeze",
		Short: "Frozen random convolutions for ONNX models",
		Long: `rcfreeze turns the convolutions of an ONNX model into frozen blocks (fixed random filters, followed by a 1×1
convolution that trains), trains the model on stock ONNX Runtime, compares it with the original, and merges the blocks into
plain convolutions again.

Results go to standard output: tables, or with --json one JSON document. Everything else goes to standard error.

If MODEL is -, the model is read from standard input. With -o -, it is written to standard output, and results go to standard
error, too.`,
		Example: `rcfreeze inspect model.onnx                               # what is in the model?
rcfreeze convert model.onnx -o blocks.onnx -E 4           # make frozen blocks
rcfreeze train blocks.onnx -o trained.onnx --data images  # fine-tune them
rcfreeze export trained.onnx -o merged.onnx               # merge them again`,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetHelpFunc(p.help)
	root.SetHelpCommand(newHelp(root))
	root.SetVersionTemplate("rcfreeze version {{.Version}}\n")
	flags := root.PersistentFlags()
	flags.BoolVar(&p.json, "json", false, "print the result as one JSON document")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "say more: which ONNX Runtime runs the model, where, and in which form")
	flags.BoolP("help", "h", false, "print this help")
	flags.Bool("version", false, "print the version of rcfreeze")
	root.SuggestionsMinimumDistance = 2
	root.SetGlobalNormalizationFunc(flagName)
	for _, make := range subcommands {
		cmd := make(p)
		complete(cmd)
		tellWorkApart(cmd)
		root.AddCommand(cmd)
	}
	root.InitDefaultCompletionCmd()
	root.InitDefaultHelpCmd()
	tellVersion(root)
	return root
}

// tellVersion gives a command and all below it --version.
func tellVersion(cmd *cobra.Command) {
	cmd.Version = version()
	for _, c := range cmd.Commands() {
		tellVersion(c)
	}
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
