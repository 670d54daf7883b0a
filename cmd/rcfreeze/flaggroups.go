package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// flagGroup is a part of the flags that help lists under a title.
type flagGroup struct {
	title string
	flags []string // NAME, or NAME VALUE, where VALUE says what the flag takes; before them COMMAND: for a flag of one command
}

// flagGroups has every flag, in the order in which help lists them: the most used first.
var flagGroups = []flagGroup{
	{"Architecture", []string{"depth N", "width N", "new: classes N", "input SIZE", "new: seed N"}},
	{"Comparison", []string{"variants LIST", "expansions LIST", "seeds LIST", "compare: output FOLDER"}},
	{"Output", []string{"output FILE", "external-data WHERE", "batch N", "top N"}},
	{"Blocks", []string{"expansion N", "pointwise HOW", "bank KIND", "layout KIND", "between LAYERS", "max-error X", "keep-variance", "add-batchnorm",
		"kernel-size N", "convert: seed N", "convert: reinit", "inspect: seed N", "blocks", "plan"}},
	{"Choice of convolutions", []string{"include PATTERN", "skip PATTERN", "min-kernel N", "max-kernel N", "min-in-channels N"}},
	{"Model", []string{"num-classes N", "precision TYPE", "logits NAME"}},
	{"Data", []string{"data PATH", "split NAME", "format NAME", "limit N", "classes FILE", "images N", "calibration-images N", "recalibrate: batch-size N", "recalibrate: seed N",
		"max-image-pixels N", "max-array-size SIZE"}},
	{"Training", []string{"epochs N", "batch-size N", "lr X", "optimizer NAME", "scheduler NAME", "momentum X", "weight-decay X", "label-smoothing X",
		"augment LIST", "seed N", "batchnorm HOW", "grad-accum-steps N", "warmup-epochs X", "step-epochs N", "step-factor X", "clip-grad X", "nesterov", "block-form HOW"}},
	{"What trains", []string{"variant NAME", "reinit", "train PATTERN", "freeze PATTERN", "train-from NODE"}},
	{"Runs", []string{"resume", "keep WHICH", "run-dir FOLDER", "save-every TIME"}},
	{"Measuring", []string{"eval: batch-size N", "per-class", "epsilon X"}},
	{"Merging and checking", []string{"fold-batchnorm", "source FILE", "tolerance X", "inputs FILE", "verify-batch N", "no-verify", "second-opinion", "time", "time-runs N"}},
	{"Images", []string{"normalize NAME", "pixels BLACK:WHITE", "mean NUMBERS", "std NUMBERS", "channels ORDER", "resize", "image-size SIZE", "short-side N"}},
	{"Runtime", []string{"provider NAME", "device N", "threads N", "workers N", "tf32", "ort-lib PATH"}},
	{"General", []string{"json", "verbose", "help", "version", "no-descriptions"}},
}

// placedFlag is a flag with what help says it takes.
type placedFlag struct {
	*pflag.Flag
	value string
}

// placedFlags are the flags of a command in one group.
type placedFlags struct {
	title string
	flags []placedFlag
}

// groupFlags returns the flags of a command by group, without hidden ones. Those that are in no group come last, without a title.
func groupFlags(cmd *cobra.Command) []placedFlags {
	cmd.InheritedFlags() // makes Flags have them
	left := map[string]*pflag.Flag{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			left[f.Name] = f
		}
	})
	of := map[string]string{} // the command's name for flags that have a row for it alone
	for _, g := range flagGroups {
		for _, row := range g.flags {
			if command, name, _ := parseFlagRow(row); command == cmd.Name() {
				of[name] = command
			}
		}
	}
	var list []placedFlags
	for _, g := range flagGroups {
		placed := placedFlags{title: g.title}
		for _, row := range g.flags {
			command, name, value := parseFlagRow(row)
			if f := left[name]; f != nil && command == of[name] {
				placed.flags = append(placed.flags, placedFlag{f, value})
				delete(left, name)
			}
		}
		list = append(list, placed)
	}
	rest := placedFlags{}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if left[f.Name] != nil {
			rest.flags = append(rest.flags, placedFlag{f, f.Value.Type()})
		}
	})
	return append(list, rest)
}

// parseFlagRow reads a flag in a group.
func parseFlagRow(row string) (command, name, value string) {
	command, flag, found := strings.Cut(row, ": ")
	if !found {
		command, flag = "", row
	}
	name, value, _ = strings.Cut(flag, " ")
	return command, name, value
}

// left returns the left column of a flag's help.
func (f placedFlag) left() string {
	text := "      --" + f.Name
	if f.Shorthand != "" {
		text = fmt.Sprintf("  -%s, --%s", f.Shorthand, f.Name)
	}
	if f.value != "" {
		text += " " + f.value
	}
	return text
}

// right returns what a flag's help says, with its default if the text does not say it and it is not to do nothing.
func (f placedFlag) right() string {
	const zero = "(0: " // begins to say what 0 means
	text := strings.Trim(f.DefValue, "[]")
	switch {
	case strings.Contains(f.Usage, "(default"):
		return f.Usage
	case text == "0" && strings.Contains(f.Usage, zero):
		return strings.Replace(f.Usage, zero, "(default 0: ", 1)
	case slices.Contains([]string{"", "0", "false", "0s"}, text):
		return f.Usage
	case strings.Contains(f.Usage, zero):
		return strings.Replace(f.Usage, zero, fmt.Sprintf("(default %s; 0: ", text), 1)
	case text == "true":
		return fmt.Sprintf("%s (default true; --%s=false turns it off)", f.Usage, f.Name)
	}
	return fmt.Sprintf("%s (default %s)", f.Usage, text)
}
