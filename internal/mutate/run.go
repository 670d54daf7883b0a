//go:build unix

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// lab runs the tests of a package with its mutants.
type lab struct {
	mutants  *schemata
	settings *settings
	folder   string // temporary
	tree     *tree
	tests    []*test // the quickest first
}

// test is one test function.
type test struct {
	name    string
	binary  string
	dir     string // where it runs
	cpu     time.Duration
	elapsed time.Duration
	reached []byte // 1 for each place that it reaches
}

// maxFile bounds the files that a mutant writes, in bytes.
const maxFile = 1 << 32

// newLab compiles the tests of the packages with the mutants in, and runs each test once with none on. The folder must be
// empty.
func newLab(ctx context.Context, p *sourcePackage, mutants *schemata, s *settings, folder string) (*lab, error) {
	l := &lab{mutants: mutants, settings: s, folder: folder}
	overlay, err := l.overlay()
	if err != nil {
		return nil, err
	}
	if l.tree, err = copyTree(p.module, filepath.Join(folder, "tree")); err != nil {
		return nil, err
	}
	for i, pattern := range s.packages {
		binary := filepath.Join(folder, fmt.Sprintf("%d.test", i))
		if _, err := output(exec.CommandContext(ctx, "go", "test", "-c", "-vet=off", "-ldflags=-s -w", "-overlay", overlay, "-o", binary, pattern)); err != nil {
			return nil, err
		}
		if !exists(binary) {
			continue // no tests
		}
		listing, err := goList(pattern)
		if err != nil {
			return nil, err
		}
		inModule, err := filepath.Rel(p.module, listing[0].Dir)
		if err != nil {
			return nil, err
		}
		if err := l.list(ctx, binary, filepath.Join(l.tree.root, inModule)); err != nil {
			return nil, err
		}
	}
	return l, l.record(ctx)
}

// overlay writes the changed files and returns the path of a list of them as the go command reads it.
func (l *lab) overlay() (string, error) {
	replace := map[string]string{}
	for path, text := range l.mutants.files {
		changed := filepath.Join(l.folder, filepath.Base(path))
		if err := os.WriteFile(changed, text, 0o644); err != nil {
			return "", err
		}
		replace[path] = changed
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	path := filepath.Join(l.folder, "overlay.json")
	return path, os.WriteFile(path, text, 0o644)
}

// list adds the tests that a binary has.
func (l *lab) list(ctx context.Context, binary, dir string) error {
	command := exec.CommandContext(ctx, binary, "-test.list", "^(Test|Fuzz|Example)")
	command.Dir = dir
	out, err := output(command)
	if err != nil {
		return err
	}
	for _, name := range strings.Fields(string(out)) {
		if skip := l.settings.skip; skip == nil || !skip.MatchString(name) {
			l.tests = append(l.tests, &test{name: name, binary: binary, dir: dir})
		}
	}
	return nil
}

// record runs each test alone with no mutant on, and notes its time and what it reaches.
func (l *lab) record(ctx context.Context) error {
	var failed []error
	for _, t := range l.tests {
		path := filepath.Join(l.folder, "reached")
		if err := os.WriteFile(path, make([]byte, l.mutants.places+1), 0o644); err != nil {
			return err
		}
		said, state, err := l.run(ctx, []*test{t}, 0, time.Hour, "MUTATE_REACHED="+path)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if state == nil {
			return err
		}
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w\n%s", t.name, err, said))
		}
		t.cpu = state.UserTime() + state.SystemTime()
		if t.reached, err = os.ReadFile(path); err != nil {
			return err
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("running the tests with no mutant on: mend these first, or leave them out by SKIP=regexp:\n%w", errors.Join(failed...))
	}
	slices.SortStableFunc(l.tests, func(a, b *test) int { return cmp.Compare(a.cpu, b.cpu) })
	return nil
}

// run runs tests of one binary in a process of its own, within limits; no seconds of processor time are no limit. It returns
// what the process wrote, how it ended (nil if it did not start), and an error unless all tests passed.
func (l *lab) run(ctx context.Context, tests []*test, seconds int, longest time.Duration, variables ...string) ([]byte, *os.ProcessState, error) {
	ctx, cancel := context.WithTimeout(ctx, longest)
	defer cancel()
	scratch, err := os.MkdirTemp(l.folder, "tmp")
	if err != nil {
		return nil, nil, err
	}
	defer removeAll(scratch)
	names := make([]string, len(tests))
	for i, t := range tests {
		names[i] = t.name
	}
	command := exec.CommandContext(ctx, tests[0].binary, "-test.run", "^("+strings.Join(names, "|")+")$", "-test.failfast", "-test.timeout", "0")
	command.Dir = tests[0].dir
	command.Env = append(os.Environ(), "PWD="+command.Dir, "TMPDIR="+scratch, fmt.Sprint("MUTATE_MEMORY=", l.settings.memory), fmt.Sprint("MUTATE_FILE=", maxFile))
	if seconds > 0 {
		command.Env = append(command.Env, fmt.Sprint("MUTATE_CPU=", seconds))
	}
	command.Env = append(command.Env, variables...)
	// The process leads a group, so that what it has started ends with it.
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
	command.WaitDelay = time.Second
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	began := time.Now()
	err = command.Run()
	if command.Process != nil {
		syscall.Kill(-command.Process.Pid, syscall.SIGKILL)
	}
	if len(tests) == 1 && seconds == 0 {
		tests[0].elapsed = time.Since(began)
	}
	return said.Bytes(), command.ProcessState, err
}

// removeAll removes a folder, also one with folders that may not be written.
func removeAll(folder string) {
	if os.RemoveAll(folder) == nil {
		return
	}
	filepath.WalkDir(folder, func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			os.Chmod(path, 0o700)
		}
		return nil
	})
	os.RemoveAll(folder)
}

// outcome is what became of a mutant.
type outcome int

const (
	unreached outcome = iota // no test runs its code
	survived                 // all tests pass
	noticed                  // a test fails
	stuck                    // the tests took much longer than they should: noticed, too
)

// try runs the tests that reach a mutant, the quickest first, until one fails.
func (l *lab) try(ctx context.Context, m mutant) (became outcome, err error) {
	var reaching []*test
	for _, t := range l.tests {
		if t.reached[m.place] != 0 {
			reaching = append(reaching, t)
		}
	}
	if len(reaching) == 0 {
		return unreached, nil
	}
	defer func() {
		if undone := l.tree.restore(); err == nil {
			err = undone
		}
	}()
	for _, batch := range batches(reaching) {
		var cpu, elapsed time.Duration
		for _, t := range batch {
			cpu += t.cpu
			elapsed += t.elapsed
		}
		seconds := l.settings.patience + int((4 * cpu).Seconds())
		_, state, err := l.run(ctx, batch, seconds, 30*time.Second+20*elapsed,
			fmt.Sprint("MUTATE_PLACE=", m.place), fmt.Sprint("MUTATE_CHANGE=", m.change))
		switch {
		case ctx.Err() != nil:
			return 0, ctx.Err()
		case state == nil:
			return 0, err
		case err != nil:
			if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL {
				return stuck, nil
			}
			return noticed, nil
		}
	}
	return survived, nil
}

// batches divides tests into runs of one process each: the first ones are short, so that the quick tests have their say before
// the slow ones, and the later ones longer, as each process takes time to start.
func batches(tests []*test) [][]*test {
	var all [][]*test
	var batch []*test
	var sum time.Duration
	budget := time.Second / 2 // of processor time, which does not depend on what else runs
	for _, t := range tests {
		if len(batch) > 0 && (sum+t.cpu > budget || t.binary != batch[0].binary) {
			all = append(all, batch)
			batch, sum = nil, 0
			budget *= 2
		}
		batch = append(batch, t)
		sum += t.cpu
	}
	if len(batch) > 0 {
		all = append(all, batch)
	}
	return all
}
