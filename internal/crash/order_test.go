package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// calls reads calls from lines such as "rename /w/.t /w/out", and "mkdir /w/run: fails".
func calls(text string) []trace.Call {
	var list []trace.Call
	for line := range strings.SplitSeq(strings.TrimSpace(text), "\n") {
		line, failed := strings.CutSuffix(strings.TrimSpace(line), ": fails")
		words := append(strings.Fields(line), "")
		c := trace.Call{Name: words[0], Number: 1, Path: words[1], To: words[2]}
		if failed {
			c.Result = -5
		}
		list = append(list, c)
	}
	return list
}

func TestOrder(t *testing.T) {
	// What lasts are /w/out, /w/out.data, /w/run/a, /w/old and /w/lock.
	lasts := func(path string) bool {
		return slices.Contains([]string{"/w/out", "/w/out.data", "/w/run", "/w/run/a", "/w/old", "/w/lock"}, path)
	}
	for name, c := range map[string]struct{ calls, want string }{
		"right":                  {"openat /w/.t\nwrite /w/.t\nfsync /w/.t\nrename /w/.t /w/out\nfsync /w\nwrite stdout", ""},
		"in a folder":            {"mkdir /w/.d\nwrite /w/.d/t\nfsync /w/.d/t\nrename /w/.d/t /w/out\nfsync /w", ""},
		"no sync of data":        {"write /w/.t\nrename /w/.t /w/out\nfsync /w", "comes before its data is synced"},
		"written after the sync": {"write /w/.t\nfsync /w/.t\nwrite /w/.t\nrename /w/.t /w/out\nfsync /w", "comes before its data is synced"},
		"a sync that fails":      {"write /w/.t\nfsync /w/.t: fails\nrename /w/.t /w/out\nfsync /w", "comes before its data is synced"},
		"two names":              {"write /w/.t\nrename /w/.t /w/.u\nrename /w/.u /w/out\nfsync /w", "comes before its data is synced"},
		"a folder that moves":    {"write /w/.d/t\nrename /w/.d /w/.e\nrename /w/.e/t /w/out\nfsync /w", "comes before its data is synced"},
		"synced after the move":  {"write /w/.d/t\nrename /w/.d /w/.e\nfsync /w/.e/t\nrename /w/.e/t /w/out\nfsync /w", ""},
		"printed too early":      {"write /w/.t\nfsync /w/.t\nrename /w/.t /w/out\nwrite stdout\nfsync /w", "what is printed comes before the folder /w is synced"},
		"no sync of the folder":  {"rename /w/.t /w/out", "the end comes before the folder /w is synced"},
		"another folder synced":  {"rename /w/.t /w/out\nfsync /", "the end comes before the folder /w is synced"},
		"data, then model":       {"rename /w/.d /w/out.data\nfsync /w\nrename /w/.t /w/out\nfsync /w", ""},
		"model at once":          {"rename /w/.d /w/out.data\nrename /w/.t /w/out\nfsync /w", "rename #1 /w/.t to /w/out comes before the folder /w is synced"},
		"taken too early":        {"rename /w/.t /w/out\nunlink /w/old\nfsync /w", "unlink #1 /w/old comes before the folder /w is synced"},
		"a turn":                 {"rename /w/out /w/old\nrename /w/.t /w/out\nfsync /w", ""},
		"half a turn":            {"rename /w/out /w/old\nrename /w/.t /w/out.data\nfsync /w", "comes before the folder /w is synced"},
		"several taken":          {"rename /w/.t /w/out\nfsync /w\nunlink /w/old\nunlink /w/out.data\nwrite stdout", ""},
		"a new folder":           {"mkdir /w/run\nfsync /w\nrename /w/run/.t /w/run/a\nfsync /w/run", ""},
		"a folder not synced":    {"mkdir /w/run\nrename /w/run/.t /w/run/a\nfsync /w/run", "comes before the folder /w is synced"},
		"a folder that is there": {"mkdir /w/run: fails\nrename /w/run/.t /w/run/a\nfsync /w/run", ""},
		"in place":               {"openat /w/out\nwrite /w/out\nfsync /w/out", "opens a file to change it in place"},
		"a lock":                 {"openat /w/lock\nflock /w/lock\nwrite /w/lock", ""},
		"what does not last":     {"openat /w/.probe\nwrite /w/.probe\nunlink /w/.probe\nmkdir /w/.d\nrmdir /w/.d", ""},
	} {
		got := checkOrder(calls(c.calls), lasts, "stdout")
		if c.want == "" && len(got) > 0 || c.want != "" && !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
