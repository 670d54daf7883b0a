package main

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// undisturbed is what a command does if nothing happens.
type undisturbed struct {
	before, after tree
	calls         []trace.Call
	stdout        string
	given         map[string]int    // how often each file got its name
	moved         map[string]string // files that made room for a new one: the other name that they got
}

// lasts reports whether a name in a tree is there before or after the command.
func (u *undisturbed) lasts(name string) bool {
	_, before := u.before[name]
	_, after := u.after[name]
	_, folder := u.after[name+"/"]
	return before || after || folder
}

// judge returns what is wrong with the files that a disturbed run left: each must be as before or as after, complete.
func (u *undisturbed) judge(now tree) []string {
	var wrong []string
	names := slices.Compact(slices.Sorted(slices.Values(append(u.before.names(), u.after.names()...))))
	for _, name := range names {
		if strings.HasSuffix(name, "/") || now.same(name, u.before) || now.same(name, u.after) {
			continue
		}
		found, ok := now[name]
		switch {
		case !ok && u.moved[name] != "": // it made room, and the new one did not come
			if e, ok := now[u.moved[name]]; !ok {
				wrong = append(wrong, fmt.Sprintf("%s is gone, and so is %s", name, u.moved[name]))
			} else if err := complete(name, e.raw); err != nil {
				wrong = append(wrong, fmt.Sprintf("%s is gone, and %s is not complete: %v", name, u.moved[name], err))
			}
		case !ok:
			wrong = append(wrong, name+" is gone")
		case u.given[name] < 2:
			wrong = append(wrong, fmt.Sprintf("%s is neither old nor new: it is %s, was %s, is to be %s", name, found, u.before[name], u.after[name]))
		default: // it may be one of those between
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

// wanted returns what is to be there in the end. Which version a file has that made room for a newer one depends on when the
// newer one came, so any will do that is complete.
func (u *undisturbed) wanted(now tree) tree {
	want := maps.Clone(u.after)
	for _, name := range u.moved {
		if found, ok := now[name]; ok && complete(name, found.raw) == nil && found.mode == want[name].mode {
			want[name] = found
		}
	}
	return want
}

// judgeData returns what is wrong with the data files of a model, those with its name and more behind: they must be as old or
// as new as the model is.
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

// unknown is what a command says of figures that it could not find out, and that its table leaves out.
const unknown = "are not known: "

// judgeExit returns what is wrong with how a disturbed run ended.
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
