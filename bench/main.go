// Command bench measures rcfreeze beside its peers, in turn in one run, and writes a table of ratios:
//
//	go run ./bench [--rows REGEXP] [--rounds N] [-o RESULTS.md]
//
// It needs the rcfreeze command in the current folder, and takes PyTorch as the peer where python3 has it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/spf13/pflag"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	run := measure
	if len(os.Args) > 1 && os.Args[1] == workCommand {
		run = work
	}
	if err := run(ctx, os.Args[1:]); err != nil && !errors.Is(err, pflag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// measure runs the rows that the arguments ask for, and writes the table.
func measure(ctx context.Context, args []string) error {
	flags := pflag.NewFlagSet("bench", pflag.ContinueOnError)
	wanted := flags.String("rows", "", "measure the rows whose text matches this regular expression")
	rounds := flags.Int("rounds", 7, "how often the contestants of a row take turns")
	output := flags.StringP("output", "o", "", "the file to write; what --rows leaves out stays in it as it was (default: print only)")
	library := flags.String("ort-lib", "", "the ONNX Runtime library or its folder")
	if err := flags.Parse(args); err != nil {
		return err
	}
	pattern, err := regexp.Compile(*wanted)
	if err != nil {
		return fmt.Errorf("reading --rows: %w", err)
	}
	if *rounds < 1 {
		return fmt.Errorf("--rounds is %d: needs at least 1", *rounds)
	}
	lib, err := ort.Init(*library)
	if err != nil {
		return err
	}
	l, err := newLab(lib)
	if err != nil {
		return err
	}
	defer l.close()
	var earlier []section
	if *wanted != "" && *output != "" {
		if earlier, err = readFile(*output); err != nil {
			return err
		}
	}
	var results []result
	for _, r := range rows {
		if !pattern.MatchString(r.work) {
			continue
		}
		fmt.Fprintf(os.Stderr, "%s …\n", r.work)
		res := r.run(ctx, l, *rounds)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		fmt.Fprintf(os.Stderr, "  %s\n", res)
		results = append(results, res)
	}
	return report(l, results, earlier, *output)
}
