package main

import (
	"archive/zip"
	"bytes"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// files makes a tree of "name=content" words; names with a slash behind are folders.
func files(text string) tree {
	t := tree{}
	for _, word := range strings.Fields(text) {
		name, content, _ := strings.Cut(word, "=")
		t[name] = entry{mode: 0o644, raw: []byte(content), data: normal(name, []byte(content))}
	}
	return t
}

func TestOldOrNew(t *testing.T) {
	u := undisturbed{
		before: files("in=1 m.onnx=old m.onnx.data=OLD"),
		after:  files("in=1 m.onnx=new m.onnx.data-2=NEW run/ run/log.json={} run/log.csv=a"),
		given:  map[string]int{"run/log.json": 3, "run/log.csv": 3},
	}
	for _, c := range []struct{ now, want string }{
		{"in=1 m.onnx=old m.onnx.data=OLD", ""},
		{"in=1 m.onnx=new m.onnx.data-2=NEW run/ run/log.json={}", ""},
		{"in=1 m.onnx=new m.onnx.data=OLD m.onnx.data-2=NEW", ""},             // the old data is still to be taken away
		{"in=1 m.onnx=old m.onnx.data=OLD m.onnx.data-2=NEW .m.onnx.5=n", ""}, // the new one has come
		{"in=1 m.onnx=old m.onnx.data-2=NEW", "m.onnx is old, but its data file m.onnx.data is not"},
		{"in=1 m.onnx=new m.onnx.data=OLD", "m.onnx is new, but its data file m.onnx.data-2 is not"},
		{"in=1 m.onnx=new m.onnx.data-2=NE", "m.onnx.data-2 is neither old nor new"},
		{"in=1 m.onnx=ne m.onnx.data-2=NEW", "m.onnx is neither old nor new"},
		{"in=1 m.onnx.data=OLD", "m.onnx is gone"},
		{"m.onnx=old m.onnx.data=OLD", "in is gone"},
		{"in=2 m.onnx=old m.onnx.data=OLD", "in is neither old nor new"},
		{"in=1 m.onnx=old m.onnx.data=OLD run/log.json={\"a\":1}", ""}, // one of the three that had the name
		{"in=1 m.onnx=old m.onnx.data=OLD run/log.json={\"a\":", "run/log.json, "},
		{"in=1 m.onnx=old m.onnx.data=OLD run/log.csv=b", "run/log.csv, "},
	} {
		got := u.judge(files(c.now))
		if c.want == "" && len(got) > 0 || c.want != "" && !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", c.now, got, c.want)
		}
	}
	turned := undisturbed{before: files("a.json={}"), after: files("a.json=[] old.json={}"), given: map[string]int{"a.json": 2, "old.json": 2}, moved: map[string]string{"a.json": "old.json"}}
	for now, want := range map[string]string{
		"old.json={}": "", "a.json={} old.json=[1]": "",
		"old.json={": "is not complete", "x=": "a.json is gone, and so is old.json",
	} {
		if got := turned.judge(files(now)); want == "" && len(got) > 0 || !strings.Contains(strings.Join(got, "\n"), want) {
			t.Errorf("%s: %q, want %q", now, got, want)
		}
	}
	for now, want := range map[string]int{
		"a.json=[] old.json=[2]": 0, "a.json=[] old.json=[": 1, "a.json=[]": 1, "a.json={} old.json={}": 1,
	} {
		now := files(now)
		if got := now.differences(turned.wanted(now)); len(got) != want {
			t.Errorf("in the end: %q, want %d", got, want)
		}
	}
	external := undisturbed{before: files("m.onnx=old m.onnx.data=OLD"), after: files("m.onnx=new m.onnx.data=NEW")}
	for _, now := range []string{"m.onnx=old m.onnx.data=NEW", "m.onnx=new m.onnx.data=OLD"} {
		if len(external.judge(files(now))) == 0 {
			t.Errorf("%s passed", now)
		}
	}
}

func TestExits(t *testing.T) {
	u := undisturbed{after: files("out=new"), stdout: "written out, 1.5 s\n"}
	sync := []trace.Call{{Name: "fsync", Number: 1, Path: "out", Result: -5}, {Name: "write", Number: 1, Path: "out"}}
	fail := trace.Injection{Kind: trace.Fail, Call: "write", Number: 1}
	for name, c := range map[string]struct {
		inject             trace.Injection
		outcome            trace.Outcome
		now, printed, talk string
		want               string
	}{
		"done":             {fail, trace.Outcome{}, "out=new", "written out, 11.25 s\n", "", ""},
		"not written":      {fail, trace.Outcome{}, "out=old", "written out, 1 s\n", "", "the exit code is 0, but out is not new"},
		"not printed":      {fail, trace.Outcome{}, "out=new", "", "", "the exit code is 0, but it printed"},
		"not all known":    {fail, trace.Outcome{}, "out=new", "written\n", "rcfreeze: the MACs of 2 convolutions are not known: no space\n", ""},
		"nothing printed":  {fail, trace.Outcome{}, "out=new", "", "the MACs of 2 convolutions are not known: no space\n", "the exit code is 0, but it printed"},
		"not synced":       {trace.Injection{Kind: trace.Fail, Call: "fsync", Number: 1}, trace.Outcome{}, "out=new", "written out, 1 s\n", "", "a sync failed"},
		"failed":           {fail, trace.Outcome{Code: 1}, "", "", "rcfreeze: no space\n", ""},
		"silent":           {fail, trace.Outcome{Code: 1}, "", "", "", "it does not say why"},
		"panics":           {fail, trace.Outcome{Code: 2}, "", "", "panic: x\n\ngoroutine 1 [running]\n", "it panics"},
		"ended":            {fail, trace.Outcome{Code: -1, Signal: syscall.SIGSEGV}, "", "", "x", "ended by the signal"},
		"killed":           {trace.Injection{Kind: trace.KillAfter}, trace.Outcome{Code: -1, Signal: syscall.SIGKILL, Injected: true}, "", "", "", ""},
		"killed by others": {trace.Injection{Kind: trace.KillAfter}, trace.Outcome{Code: -1, Signal: syscall.SIGKILL}, "", "", "", "ended by the signal"},
		"late":             {fail, trace.Outcome{Code: -1, Late: true}, "", "", "", "it takes more than"},
	} {
		c.outcome.Calls = sync
		got := u.judgeExit(c.inject, &c.outcome, files(c.now), c.printed, c.talk)
		if c.want == "" && len(got) > 0 || c.want != "" && !strings.Contains(strings.Join(got, "\n"), c.want) {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestDifferences(t *testing.T) {
	got := files("a=1 b=2 d/ d/e=1 c=1").differences(files("a=1 b=1 x=1"))
	var first []string
	for _, line := range got {
		first = append(first, strings.Join(strings.Fields(line)[:2], " "))
	}
	if want := []string{"b is", "x is", "c is", "d/ is"}; !slices.Equal(first, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// zipped returns a zip file of "name=content" words.
func zipped(t *testing.T, text string) string {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	for _, word := range strings.Fields(text) {
		name, content, _ := strings.Cut(word, "=")
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// TestNormal: what differs by time or order is the same, all else is not.
func TestNormal(t *testing.T) {
	for _, c := range []struct {
		name, a, b string
		same       bool
	}{
		{"a.json", `{"x":[{"seconds":1,"y":2}]}`, `{"x": [{"y": 2, "seconds": 3}]}`, true},
		{"a.json", `{"x":1}`, `{"x":2}`, false},
		{"a.csv", "a,seconds,b\n1,2,3\n", "a,seconds,b\n1,9,3\n", true},
		{"a.csv", "a,seconds,b\n1,2,3\n", "a,seconds,b\n1,2,4\n", false},
		{"a.csv", "a,b\n1,2\n", "a,b\n1,2", false},
		{"a.html", `<td class="number seconds">1.5</td>{"seconds":1.5}</html>` + "\n", `<td class="number seconds">12</td>{"seconds":2}</html>` + "\n", true},
		{"a.html", `<td class="number">1.5</td></html>` + "\n", `<td class="number">12</td></html>` + "\n", false},
		{"a.html", `{"seconds":1,"top1":1}</html>` + "\n", `{"seconds":1,"top1":2}</html>` + "\n", false},
		{"a.html", `<p></html>` + "\n", `<p>`, false},
		{"a.ckpt", zipped(t, `a=1 b.json={"seconds":1}`), zipped(t, `b.json={"seconds":2} a=1`), true},
		{"a.ckpt", zipped(t, "a=1"), zipped(t, "a=2"), false},
		{"a.onnx", "x", "x", true},
		{"a.onnx", "x", "y", false},
	} {
		if got := bytes.Equal(normal(c.name, []byte(c.a)), normal(c.name, []byte(c.b))); got != c.same {
			t.Errorf("%s: %q and %q are the same: %v, want %v", c.name, c.a, c.b, got, c.same)
		}
	}
	whole := zipped(t, "a=content-of-some-length b=1")
	for cut := range len(whole) {
		if complete("a.ckpt", []byte(whole[:cut])) == nil {
			t.Errorf("the first %d of %d bytes of a zip file are complete", cut, len(whole))
		}
	}
	damaged := []byte(whole)
	damaged[bytes.Index(damaged, []byte("content"))]++
	if complete("a.ckpt", damaged) == nil {
		t.Error("a damaged zip file is complete")
	}
}
