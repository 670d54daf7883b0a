package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// campaign holds everything that one call of the program tries.
type campaign struct {
	program, setup string
	only           string
	random         int
	seed           uint64
	jobs           int
	keep           bool

	folder string
	mutex  sync.Mutex // for what follows
	tally  map[string]*tally
}

// tally counts the trials of a command.
type tally struct {
	injected map[trace.Kind]int
	missed   int // the call was not reached
	failures int
}

// trial is one injection into one scenario.
type trial struct {
	*stage
	*undisturbed
	inject trace.Injection
}

// String returns the trial in the form of -only.
func (t trial) String() string {
	return fmt.Sprintf("%s %s %s#%d", t.name, t.inject.Kind, t.inject.Call, t.inject.Number)
}

// run tries everything, prints what it finds, and returns how many injections found something.
func (c *campaign) run(ctx context.Context) (found int, err error) {
	if err := trace.Supported(); err != nil {
		return 0, err
	}
	if c.program, err = filepath.Abs(c.program); err != nil {
		return 0, err
	}
	if c.folder, err = os.MkdirTemp("", "rcfreeze-crash-"); err != nil {
		return 0, err
	}
	if c.folder, err = filepath.EvalSymlinks(c.folder); err != nil { // as the kernel names it
		return 0, err
	}
	if !c.keep {
		defer os.RemoveAll(c.folder)
	}
	c.tally = map[string]*tally{}
	started := time.Now()
	trials, err := c.trials(ctx)
	if err != nil {
		return 0, err
	}
	if err := c.tryAll(ctx, trials); err != nil {
		return 0, err
	}
	c.print(os.Stdout)
	for _, t := range c.tally {
		found += t.failures
	}
	fmt.Fprintf(os.Stderr, "%d injections in %.0f s, %d failures\n", len(trials), time.Since(started).Seconds(), found)
	return found, nil
}

// parts returns the scenario, kind and call that -only names.
func (c *campaign) parts() (name, kind, call string) {
	parts := append(strings.Fields(c.only), "", "", "")
	return parts[0], parts[1], parts[2]
}

// trials runs all scenarios without injections, and chooses the injections.
func (c *campaign) trials(ctx context.Context) ([]trial, error) {
	var chosen []scenario
	perCommand := map[string]int{}
	name, _, _ := c.parts()
	for _, s := range scenarios {
		perCommand[s.commandName()]++
		if strings.HasPrefix(s.name, name) {
			chosen = append(chosen, s)
		}
	}
	if len(chosen) == 0 {
		return nil, fmt.Errorf("no scenario has a name that begins with %q", name)
	}
	var trials []trial
	for _, s := range chosen {
		if c.tally[s.commandName()] == nil {
			c.tally[s.commandName()] = &tally{injected: map[trace.Kind]int{}}
		}
		st, err := newStage(ctx, c, s, c.folder)
		if err != nil {
			return nil, fmt.Errorf("preparing %s: %w", s.name, err)
		}
		u, err := c.undisturbed(ctx, st)
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil { // there is nothing to compare with
			c.failed(s.name, s.name, []string{"undisturbed: " + err.Error()})
			continue
		}
		trials = append(trials, c.choose(trial{stage: st, undisturbed: u}, c.random/perCommand[s.commandName()])...)
	}
	return trials, nil
}

func (s scenario) commandName() string {
	name, _, _ := strings.Cut(s.name, "/")
	return name
}

// undisturbed runs a scenario without injections, and once more, which must change nothing. It is also a failure if the order of
// its calls breaks the rules for power failures.
func (c *campaign) undisturbed(ctx context.Context, st *stage) (*undisturbed, error) {
	u := &undisturbed{given: map[string]int{}, moved: map[string]string{}}
	at, err := st.site.copied(c.folder)
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(string(at))
	if u.before, err = at.tree(); err != nil {
		return nil, err
	}
	o, talk, err := st.watch(at, nil)
	if err != nil {
		return nil, err
	}
	if o.Code != 0 {
		return nil, fmt.Errorf("the exit code is %d: %s", o.Code, talk)
	}
	if u.after, err = at.tree(); err != nil {
		return nil, err
	}
	for _, name := range u.after.names() {
		if strings.HasPrefix(name, temporaryMark) {
			return nil, fmt.Errorf("it leaves %s", name)
		}
	}
	text, err := os.ReadFile(at.stdout())
	if err != nil {
		return nil, err
	}
	u.stdout, u.calls = string(text), o.Calls
	for _, call := range u.calls {
		if call.Name != "rename" || call.Failed() {
			continue
		}
		from, to := at.relative(call.Path), at.relative(call.To)
		u.given[to]++
		if u.lasts(from) {
			u.moved[from] = to
		}
	}
	if !st.script {
		lasts := func(path string) bool { return u.lasts(at.relative(path)) }
		if broken := checkOrder(u.calls, lasts, at.stdout()); len(broken) > 0 {
			c.failed(st.name, st.name+" power-loss", rename(broken, at))
		}
	}
	if _, err := st.run(ctx, at, st.args(true)); err != nil {
		return nil, fmt.Errorf("once more: %w", err)
	}
	now, err := at.tree()
	if err != nil {
		return nil, err
	}
	if wrong := now.differences(u.after); len(wrong) > 0 {
		return nil, fmt.Errorf("once more: %s", strings.Join(wrong, "; "))
	}
	return u, nil
}

// rename makes the paths of a site short.
func rename(lines []string, at site) []string {
	var short []string
	for _, line := range lines {
		short = append(short, strings.ReplaceAll(strings.ReplaceAll(line, at.work()+"/", ""), string(at)+"/", ""))
	}
	return short
}

// choose returns the injections into one scenario: into the first and last call of each name, and into random ones.
func (c *campaign) choose(t trial, random int) []trial {
	_, onlyKind, onlyCall := c.parts()
	last := map[string]int{}
	for _, call := range t.calls {
		last[call.Name] = call.Number
	}
	var list []trial
	add := func(kind trace.Kind, call string, number int) {
		t.inject = trace.Injection{Kind: kind, Call: call, Number: number, Errno: errno(call, number)}
		if kind == trace.Interrupt && t.script { // programs in a script handle this signal in their own ways
			return
		}
		if !slices.ContainsFunc(list, func(o trial) bool { return o.inject == t.inject }) {
			list = append(list, t)
		}
	}
	if onlyCall != "" {
		call, number, _ := strings.Cut(onlyCall, "#")
		n := 1
		fmt.Sscan(number, &n)
		add(trace.Kind(onlyKind), call, n)
		return list
	}
	for call, most := range last {
		for _, kind := range trace.Kinds() {
			add(kind, call, 1)
			add(kind, call, most)
		}
	}
	rng := rand.New(rand.NewPCG(c.seed, uint64(len(t.name))))
	for range random {
		call := t.calls[rng.IntN(len(t.calls))]
		add(trace.Kinds()[rng.IntN(len(trace.Kinds()))], call.Name, call.Number)
	}
	slices.SortFunc(list, func(a, b trial) int { return cmp.Compare(a.String(), b.String()) })
	if onlyKind != "" {
		list = slices.DeleteFunc(list, func(t trial) bool { return string(t.inject.Kind) != onlyKind })
	}
	return list
}

// errno returns the error for a call that must fail: a full disk and an input/output error in turn, if the call can have both.
func errno(call string, number int) syscall.Errno {
	switch call {
	case "fsync", "fdatasync", "close", "unlink", "rmdir":
		return syscall.EIO
	case "flock":
		return syscall.ENOLCK
	}
	return []syscall.Errno{syscall.EIO, syscall.ENOSPC}[number%2]
}

func (c *campaign) tryAll(ctx context.Context, trials []trial) error {
	todo := make(chan trial)
	faults := make(chan error, c.jobs)
	var all sync.WaitGroup
	for range c.jobs {
		all.Go(func() {
			for t := range todo {
				if err := c.try(ctx, t); err != nil {
					faults <- fmt.Errorf("trying %s: %w", t, err)
					return
				}
			}
		})
	}
	var err error
feed:
	for i, t := range trials {
		if i%100 == 0 {
			fmt.Fprintf(os.Stderr, "%d of %d, next %s\n", i, len(trials), t)
		}
		select {
		case todo <- t:
		case err = <-faults:
			break feed
		case <-ctx.Done():
			err = context.Cause(ctx)
			break feed
		}
	}
	close(todo)
	all.Wait()
	close(faults)
	return cmp.Or(err, <-faults)
}

// try does one injection, and judges.
func (c *campaign) try(ctx context.Context, t trial) error {
	at, err := t.site.copied(c.folder)
	if err != nil {
		return err
	}
	o, talk, err := t.watch(at, &t.inject)
	if err != nil {
		return err
	}
	now, err := at.tree()
	if err != nil {
		return err
	}
	stdout, err := os.ReadFile(at.stdout())
	if err != nil {
		return err
	}
	wrong := append(t.judgeExit(t.inject, o, now, string(stdout), talk), t.judge(now)...)
	if _, err := t.run(ctx, at, t.args(true)); ctx.Err() != nil {
		return context.Cause(ctx)
	} else if err != nil {
		wrong = append(wrong, fmt.Sprintf("once more: %v", err))
	} else if now, err = at.tree(); err != nil {
		return err
	} else {
		for _, difference := range now.differences(t.wanted(now)) {
			wrong = append(wrong, "once more: "+difference)
		}
	}
	c.count(t, o.Injected)
	if len(wrong) > 0 {
		if c.keep {
			wrong = append(wrong, "its calls, in "+string(at)+":")
			for _, call := range o.Calls {
				wrong = append(wrong, "  "+call.String())
			}
			wrong = append(wrong, "it said: "+talk)
		}
		c.failed(t.name, t.String(), rename(wrong, at))
	}
	if c.keep && len(wrong) > 0 {
		return nil
	}
	return os.RemoveAll(string(at))
}

// watch runs the command of a scenario under trace, and returns what it said on standard error.
func (st *stage) watch(at site, inject *trace.Injection) (*trace.Outcome, string, error) {
	line, err := st.line(at, st.args(false))
	if err != nil {
		return nil, "", err
	}
	stdout, err := os.Create(at.stdout())
	if err != nil {
		return nil, "", err
	}
	defer stdout.Close()
	stderr, err := os.Create(at.stderr())
	if err != nil {
		return nil, "", err
	}
	defer stderr.Close()
	p := trace.Program{Args: line, Dir: at.work(), Env: st.env(at), Stdout: stdout, Stderr: stderr, Watch: at.watched(), Limit: limit}
	o, err := p.Run(inject)
	if err != nil {
		return nil, "", err
	}
	talk, err := os.ReadFile(at.stderr())
	return o, string(talk), err
}

func (c *campaign) count(t trial, injected bool) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	if sum := c.tally[t.commandName()]; injected {
		sum.injected[t.inject.Kind]++
	} else {
		sum.missed++
	}
}

// failed prints what was found, and how to try it again.
func (c *campaign) failed(name, only string, wrong []string) {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	command, _, _ := strings.Cut(name, "/")
	c.tally[command].failures++
	const most = 5
	if more := len(wrong) - most; more > 0 && !c.keep {
		wrong = append(wrong[:most:most], fmt.Sprintf("and %d lines more", more))
	}
	fmt.Fprintf(os.Stderr, "FAILED make crash ONLY='%s'\n    %s\n", only, strings.Join(wrong, "\n    "))
}

// print writes the table of what was tried.
func (c *campaign) print(w io.Writer) {
	fmt.Fprint(w, "| command |")
	for _, kind := range trace.Kinds() {
		fmt.Fprintf(w, " %s |", kind)
	}
	fmt.Fprintf(w, " not reached | failures |\n|---|%s\n", strings.Repeat("---:|", len(trace.Kinds())+2))
	var seen []string
	for _, s := range scenarios {
		command := s.commandName()
		t := c.tally[command]
		if t == nil || slices.Contains(seen, command) {
			continue
		}
		seen = append(seen, command)
		fmt.Fprintf(w, "| %s |", command)
		for _, kind := range trace.Kinds() {
			fmt.Fprintf(w, " %d |", t.injected[kind])
		}
		fmt.Fprintf(w, " %d | %d |\n", t.missed, t.failures)
	}
}
