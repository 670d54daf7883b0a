//go:build unix

// Command mutate measures how many faults the tests of a package notice. It changes the code in one small place at a time (a
// "mutant") and runs the tests. If all tests pass, the mutant is a survivor: no test notices this change.
//
// All mutants are compiled into one test program, and an environment variable turns one of them on. Each mutant runs only with
// the tests that reach its code. The working tree is never changed.
package main

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/term"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	switch {
	case errors.Is(err, context.Canceled):
		os.Exit(130)
	case err != nil:
		fmt.Fprintln(os.Stderr, "mutate:", err)
		os.Exit(1)
	}
}

// settings are what the flags say.
type settings struct {
	pattern  string   // the package to mutate
	packages []string // those whose tests run
	n        int
	seed     uint64
	skip     *regexp.Regexp
	memory   int64 // address space of a process, in bytes
	patience int   // seconds of processor time that tests may take beyond a multiple of what they take without a mutant
}

func parse(args []string, stderr io.Writer) (*settings, error) {
	flags := flag.NewFlagSet("mutate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	n := flags.Int("n", 200, "how many mutants to try, drawn at random; 0 for all")
	seed := flags.Uint64("seed", 1, "what the draw depends on")
	tests := flags.String("tests", "", "further packages whose tests run, with spaces between")
	skip := flags.String("skip", "", "a regular expression for tests that do not run")
	memory := flags.Int64("memory", 8, "the most address space of a process, in GiB")
	patience := flags.Int("patience", 3, "how many seconds of processor time tests may take with a mutant, beyond four times what they take without")
	flags.Usage = func() {
		fmt.Fprintln(stderr, "usage: mutate [flags] package")
		flags.PrintDefaults()
	}
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, fmt.Errorf("reading the arguments: need one package, found %d", flags.NArg())
	}
	s := &settings{pattern: flags.Arg(0), n: *n, seed: *seed, memory: *memory << 30, patience: *patience}
	s.packages = append([]string{s.pattern}, strings.Fields(*tests)...)
	if s.patience < 1 {
		return nil, fmt.Errorf("reading -patience: need at least 1 second, found %d", s.patience)
	}
	if *skip != "" {
		var err error
		if s.skip, err = regexp.Compile(*skip); err != nil {
			return nil, fmt.Errorf("reading -skip: %w", err)
		}
	}
	return s, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	s, err := parse(args, stderr)
	if err != nil {
		return err
	}
	p, err := load(s.pattern)
	if err != nil {
		return err
	}
	all, err := instrument(p)
	if err != nil {
		return err
	}
	inModule, err := filepath.Rel(p.module, p.dir)
	if err != nil {
		return err
	}
	list := filepath.Join(p.module, "internal", "mutate", "equal", filepath.ToSlash(inModule)+".txt")
	equal, err := readEqual(list)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return err
	}
	defer removeAll(folder)
	began := time.Now()
	l, err := newLab(ctx, p, all, s, folder)
	if err != nil {
		return err
	}
	fmt.Fprintf(stderr, "%s: %d mutants; %d tests ran with none on, in %.0f s\n", inModule, len(all.mutants), len(l.tests), time.Since(began).Seconds())
	if all.unfit > 0 {
		fmt.Fprintf(stderr, "%d more do not compile and are left out\n", all.unfit)
	}
	for _, key := range outdated(equal, all.mutants) {
		fmt.Fprintf(stderr, "%s: no such mutant any more: %s\n", list, key)
	}
	r := &report{folder: inModule, all: len(all.mutants), seed: s.seed, sample: sample(all.mutants, s.n, s.seed)}
	err = r.tryAll(ctx, l, equal, stdout, stderr)
	r.print(stdout)
	return err
}

// outdated returns the entries of a list that no mutant has.
func outdated(equal map[string]string, mutants []mutant) []string {
	left := map[string]bool{}
	for key := range equal {
		left[key] = true
	}
	for _, m := range mutants {
		delete(left, m.key())
	}
	var keys []string
	for key := range left {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}

// sample draws n mutants, in the order of the code; all for 0. The place of a mutant in the draw depends only on the seed and
// its own text, so that the sample stays nearly the same when code changes.
func sample(mutants []mutant, n int, seed uint64) []mutant {
	if n <= 0 || n >= len(mutants) {
		return mutants
	}
	type drawn struct {
		rank  [sha256.Size]byte
		index int
	}
	draws := make([]drawn, len(mutants))
	seen := map[string]int{} // the same text may be there twice
	for i, m := range mutants {
		key := m.key()
		draws[i] = drawn{sha256.Sum256(fmt.Appendf(nil, "%d %d %s", seed, seen[key], key)), i}
		seen[key]++
	}
	slices.SortFunc(draws, func(a, b drawn) int { return slices.Compare(a.rank[:], b.rank[:]) })
	draws = draws[:n]
	slices.SortFunc(draws, func(a, b drawn) int { return cmp.Compare(a.index, b.index) })
	chosen := make([]mutant, n)
	for i, d := range draws {
		chosen[i] = mutants[d.index]
	}
	return chosen
}

// report counts what became of the sample.
type report struct {
	folder string
	all    int
	seed   uint64
	sample []mutant

	tried  int
	equal  int
	counts [stuck + 1]int
}

// tryAll tries the sample and prints survivors as they are found.
func (r *report) tryAll(ctx context.Context, l *lab, equal map[string]string, stdout, stderr io.Writer) error {
	progress := progressLine(stderr)
	for _, m := range r.sample {
		if _, ok := equal[m.key()]; ok {
			r.equal++
			r.tried++
			continue
		}
		progress("%d of %d, %d survived", r.tried, len(r.sample), r.counts[survived]+r.counts[unreached])
		became, err := l.try(ctx, m)
		progress("")
		if err != nil {
			return err
		}
		r.tried++
		r.counts[became]++
		note := ""
		switch became {
		case unreached:
			note = " (no test gets there)"
			fallthrough
		case survived:
			line := m.key()
			line = fmt.Sprintf("%s:%d:%d%s", m.file, m.line, m.column, strings.TrimPrefix(line, m.file))
			fmt.Fprintln(stdout, line+note)
		}
	}
	return nil
}

// progressLine returns a function that replaces the last line of a terminal; elsewhere it writes nothing.
func progressLine(w io.Writer) func(format string, args ...any) {
	file, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return func(string, ...any) {}
	}
	return func(format string, args ...any) { fmt.Fprintf(w, "\r\x1b[K"+format, args...) }
}

func (r *report) print(w io.Writer) {
	found := r.counts[noticed] + r.counts[stuck]
	lived := r.counts[survived] + r.counts[unreached]
	fmt.Fprintf(w, "\n%s: %d of %d mutants, seed %d\n", r.folder, len(r.sample), r.all, r.seed)
	if r.tried < len(r.sample) {
		fmt.Fprintf(w, "  stopped after %d\n", r.tried)
	}
	fmt.Fprintf(w, "  noticed       %4d", found)
	if r.counts[stuck] > 0 {
		fmt.Fprintf(w, "   %d of them by the time that they took", r.counts[stuck])
	}
	fmt.Fprintf(w, "\n  survived      %4d", lived)
	if r.counts[unreached] > 0 {
		fmt.Fprintf(w, "   %d of them in code that no test runs", r.counts[unreached])
	}
	fmt.Fprintf(w, "\n  same program  %4d   see internal/mutate/equal\n", r.equal)
	if found+lived > 0 {
		fmt.Fprintf(w, "  score       %6.1f %%  of those that are not the same program\n", 100*float64(found)/float64(found+lived))
	}
}
