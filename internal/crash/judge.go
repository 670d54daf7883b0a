package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// undisturbed holds the results of a command without an injection.
type undisturbed struct {
	before, after tree
	calls         []trace.Call
	stdout        string
	given         map[string]int    // how often each file was renamed to its name
	moved         map[string]string // files that were renamed to make room for a new one: their new name
}

// lasts reports whether a name exists before or after the command.
func (u *undisturbed) lasts(name string) bool {
	_, before := u.before[name]
	_, after := u.after[name]
	_, folder := u.after[name+"/"]
	return before || after || folder
}

// judge returns the faults in the files after a run with an injection: each file must be as before or as after, and complete.
func (u *undisturbed) judge(now tree) []string {
	var wrong []string
	names := slices.Compact(slices.Sorted(slices.Values(append(u.before.names(), u.after.names()...))))
	for _, name := range names {
		if strings.HasSuffix(name, "/") || now.same(name, u.before) || now.same(name, u.after) {
			continue
		}
		found, ok := now[name]
		switch {
		case !ok && u.moved[name] != "": // it made room for a new file, which was not written
			if e, ok := now[u.moved[name]]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s is gone, and so is %s", name, u.moved[name]))
			} else if err := complete(name, e.raw); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s is gone, and %s is not complete: %v", name, u.moved[name], err))
			}
		case !ok:
			wrong = append(wrong, name+" is gone")
		case u.given[name] < 2:
			wrong = append(wrong, fmt.Sprintf("%s is neither old nor new: it is %s, was %s, is to be %s", name, found, u.before[name], u.after[name]))
		default: // it may be a version from the middle of the run
			if err := complete(name, found.raw); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s, %s, is not complete: %v", name, found, err))
			}
		}
	}
	for _, name := range names {
		if filepath.Ext(name) == ".onnx" {
			wrong = append(wrong, u.judgeData(name, now)...)
		}
	}
	return wrong
}

// wanted returns the files that must exist at the end. If a file made room for a newer one, its version depends on the time of
// that, so any complete version is correct.
func (u *undisturbed) wanted(now tree) tree {
	want := maps.Clone(u.after)
	for _, name := range u.moved {
		if found, ok := now[name]; ok && complete(name, found.raw) == nil && found.mode == want[name].mode {
			want[name] = found
		}
	}
	return want
}

// judgeData returns the faults in the data files of a model, whose names begin with the model's name. They must be old if the
// model is old, and new if it is new.
func (u *undisturbed) judgeData(name string, now tree) []string {
	var lacks []string
	for _, state := range []struct {
		word string
		tree tree
	}{{"old", u.before}, {"new", u.after}} {
		if !now.same(name, state.tree) {
			continue
		}
		lacking := ""
		for _, file := range state.tree.names() {
			if strings.HasPrefix(file, name+".") && !now.same(file, state.tree) {
				lacking = fmt.Sprintf("%s is %s, but its data file %s is not", name, state.word, file)
			}
		}
		if lacking == "" {
			return nil
		}
		lacks = append(lacks, lacking)
	}
	return lacks
}

// unknown is part of the message about figures that a command could not find out, so its table leaves them out.
const unknown = "are not known: "

// judgeExit returns the faults in the exit code and the output of a run with an injection.
func (u *undisturbed) judgeExit(i trace.Injection, o *trace.Outcome, now tree, stdout, talk string) []string {
	var wrong []string
	killed := i.Kind == trace.KillBefore || i.Kind == trace.KillAfter
	switch {
	case o.Late:
		wrong = append(wrong, fmt.Sprintf("it takes more than %v", limit))
	case killed && o.Injected:
	case o.Code == -1:
		wrong = append(wrong, "it is ended by the signal "+o.Signal.String())
	case o.Code == 0:
		want := u.wanted(now)
		for _, name := range want.names() {
			if !now.same(name, want) {
				wrong = append(wrong, "the exit code is 0, but "+name+" is not new")
			}
		}
		if masked(stdout) != masked(u.stdout) && !(stdout != "" && strings.Contains(talk, unknown)) {
			wrong = append(wrong, fmt.Sprintf("the exit code is 0, but it printed %q, want %q", stdout, u.stdout))
		}
		if at := o.Calls[slices.IndexFunc(o.Calls, func(c trace.Call) bool { return c.Name == i.Call && c.Number == i.Number })]; i.Kind == trace.Fail && (at.Name == "fsync" || at.Name == "fdatasync") {
			wrong = append(wrong, "the exit code is 0, but a sync failed: "+at.String())
		}
	case strings.TrimSpace(talk) == "":
		wrong = append(wrong, fmt.Sprintf("the exit code is %d, and it does not say why", o.Code))
	}
	if strings.Contains(talk, "goroutine ") {
		wrong = append(wrong, "it panics: "+talk)
	}
	return wrong
}
