// Command crash checks that rcfreeze never loses data. It makes system calls of its commands fail, and kills the commands, at
// every kind of call that changes files. Afterwards, the disk must have the old result or the complete new one, and repeating the
// command must give the same result as a run that was not disturbed. docs/reliability.md says what is promised.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"syscall"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

func main() {
	trace.RunChildIfAsked()
	var c campaign
	flag.StringVar(&c.program, "program", "./rcfreeze", "the program to try")
	flag.StringVar(&c.setup, "setup", "scripts/setup.sh", "the script to try")
	flag.StringVar(&c.only, "only", "", "try only what this matches: SCENARIO, or SCENARIO KIND, or SCENARIO KIND CALL#NUMBER, as failures are printed; SCENARIO may be the first part of the name")
	flag.IntVar(&c.random, "random", 200, "random injections per command, besides the first and last call of each name")
	flag.Uint64Var(&c.seed, "seed", 1, "seed of the random injections")
	flag.IntVar(&c.jobs, "jobs", runtime.NumCPU(), "how many injections to try at once")
	flag.BoolVar(&c.keep, "keep", false, "keep the folders of injections that found something, and print their calls")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	found, err := c.run(ctx)
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, "crash:", err)
		os.Exit(1)
	case found > 0:
		os.Exit(1)
	}
}
