package main

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// subcommands makes every subcommand, in the order in which help lists them.
var subcommands = []func(*printer) *cobra.Command{
	newNew, newInspect, newConvert, newTrain, newRecalibrate, newEval, newPredict, newCompare, newAnalyze, newExport, newDoctor,
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
error instead.`,
		Example: `# See what is in a model
rcfreeze inspect model.onnx
# Make frozen blocks of a trained model, with outputs close to its own
rcfreeze convert model.onnx -o blocks.onnx -E 4 --pointwise calibrate --data images
# Fine-tune the blocks
rcfreeze train blocks.onnx -o trained.onnx --data images
# Merge them into plain convolutions again
rcfreeze export trained.onnx -o merged.onnx`,
		Args:          onlyCommands,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceUsage:  true,
		SilenceErrors: true,
	}
	root.SetOut(p.stdout)
	root.SetErr(p.stderr)
	root.SetHelpFunc(p.help)
	root.SetHelpCommand(newHelp(root))
	flags := root.PersistentFlags()
	flags.BoolVar(&p.json, "json", false, "print the result as one JSON document")
	flags.BoolVarP(&p.verbose, "verbose", "v", false, "print details: the version of ONNX Runtime, the provider, and how the model runs")
	flags.BoolP("help", "h", false, "print this help")
	addVersion(root, p)
	root.SuggestionsMinimumDistance = 2
	root.SetGlobalNormalizationFunc(flagName)
	for _, make := range subcommands {
		cmd := make(p)
		tellWorkApart(cmd)
		root.AddCommand(cmd)
	}
	root.InitDefaultCompletionCmd()
	if completion, _, err := root.Find([]string{"completion"}); err == nil {
		completion.Short = "Write a script with which your shell completes commands"
	}
	root.InitDefaultHelpCmd()
	return root
}

// addVersion gives a command and all below it --version. Cobra's own prints the name of a subcommand in the place of the program's; its
// SetVersionTemplate has the linker keep every exported method there is, which makes the program a quarter larger.
func addVersion(root *cobra.Command, p *printer) {
	asked := errors.New("the version is asked for")
	root.PersistentFlags().BoolFunc("version", "print the version of rcfreeze", func(string) error { return asked })
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		if !errors.Is(err, asked) {
			return explainFlag(cmd, err)
		}
		fmt.Fprintln(p.stdout, "rcfreeze version", version())
		return nil
	})
}

// explainFlag adds to an error about a flag that a command does not have which commands have it, and where its own are listed.
func explainFlag(cmd *cobra.Command, err error) error {
	var missing *pflag.NotExistError
	if !errors.As(err, &missing) {
		return err
	}
	name, where := missing.GetSpecifiedName(), ""
	var have []string
	for _, other := range cmd.Root().Commands() {
		if len(missing.GetSpecifiedShortnames()) > 0 {
			break // a letter means another thing elsewhere
		}
		if other.Flags().Lookup(name) != nil {
			have = append(have, other.Name())
		}
	}
	if have != nil {
		where = fmt.Sprintf("the commands with this flag are %s; ", strings.Join(have, ", "))
	}
	return fmt.Errorf("%w: %s%s --help lists the flags of this command", err, where, cmd.CommandPath())
}

// onlyCommands refuses arguments that are not subcommands, and suggests similar ones.
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
