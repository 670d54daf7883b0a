// Package atomicfiletest checks that files are written completely or not at all, whichever step fails.
package atomicfiletest

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
)

// Case is something that writes files into a folder.
type Case struct {
	Before func(folder string) error           // makes the files that exist before; nil if there are none
	Write  func(folder string) error           // the write to test
	State  func(folder string) (string, error) // describes the files as a reader sees them; fails if they do not match
}

const incomplete = "what is not complete: "

var errFault = errors.New("the disk is on fire")

// Check makes every step fail, and simulates a kill and a power failure before it. Each time, all old files must still exist, or
// all new ones. The error must name the step, and say whether the file was written nevertheless. The next attempt must leave the
// same files as an undisturbed one, and nothing else. Other tests of the same package must not run at the same time.
func Check(t *testing.T, c Case) {
	t.Helper()
	before := c.state(t, c.prepared(t))
	d := &disk{c: c, t: t, folder: c.prepared(t), before: before}
	steps, err := d.record()
	if err != nil {
		t.Fatal("nothing fails, but: ", err)
	}
	after, left := c.state(t, d.folder), names(t, d.folder)
	if after == before || strings.HasPrefix(before, incomplete) || strings.HasPrefix(after, incomplete) {
		t.Fatalf("before there is %q, after it %q: needs two complete states", before, after)
	}
	d.check(after)
	for i, step := range steps {
		for _, isKilled := range []bool{false, true} {
			what := fmt.Sprintf("%s %s fails", step.Doing, filepath.Base(step.Name))
			if isKilled {
				what = fmt.Sprintf("killed before %s %s", step.Doing, filepath.Base(step.Name))
			}
			folder := c.prepared(t)
			failed, err := c.writeWithFault(folder, i, isKilled)
			if want := fmt.Sprintf("%s %s: %v", failed.Doing, failed.Name, errFault); !isKilled && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: got error %v, want one with %q", what, err, want)
			}
			state := c.state(t, folder)
			if state != before && state != after {
				t.Errorf("%s: there is %q, want %q or %q", what, state, before, after)
			}
			if told := err != nil && strings.Contains(err.Error(), "is written, but"); !isKilled && told != (state == after) {
				t.Errorf("%s: got error %v, but there is %q", what, err, state)
			}
			if _, err := c.writeWithFault(folder, -1, false); err != nil {
				t.Errorf("%s: the next attempt: %v", what, err)
			}
			if state := c.state(t, folder); state != after {
				t.Errorf("%s: after the next attempt there is %q, want %q", what, state, after)
			}
			if got := names(t, folder); !slices.Equal(got, left) {
				t.Errorf("%s: after the next attempt the folder has %q, want %q", what, got, left)
			}
		}
	}
}

// prepared returns a folder with the files that exist before.
func (c Case) prepared(t *testing.T) string {
	t.Helper()
	folder := t.TempDir()
	defer atomicfile.Intercept(unlessSync)()
	if c.Before != nil {
		if err := c.Before(folder); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func (c Case) state(t *testing.T, folder string) string {
	t.Helper()
	state, err := c.State(folder)
	if err != nil {
		return incomplete + err.Error()
	}
	return state
}

// writeWithFault makes step number i fail, and with isKilled all later steps, too. It returns the step.
func (c Case) writeWithFault(folder string, i int, isKilled bool) (failed atomicfile.Step, err error) {
	var lock sync.Mutex
	n := 0
	defer atomicfile.Intercept(func(s atomicfile.Step) error {
		lock.Lock()
		defer lock.Unlock()
		n++
		if n-1 == i {
			failed = s
		}
		if n-1 == i || n-1 > i && isKilled {
			return errFault
		}
		return unlessSync(s)
	})()
	err = c.Write(folder)
	return failed, err
}

// unlessSync skips syncs, which take long and make no difference while this machine has power.
func unlessSync(s atomicfile.Step) error {
	if s.Doing == atomicfile.Syncing || s.Doing == atomicfile.SyncFolder {
		return atomicfile.Skipped
	}
	return nil
}

func names(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, _ fs.DirEntry, err error) error {
		names = append(names, strings.TrimPrefix(path, folder))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// disk is the content of a folder after a power failure: content that was synced, under names that were synced.
type disk struct {
	c      Case
	t      *testing.T
	folder string
	before string // the state

	content map[string]*content // by path, of files that were written
	lasting map[string]*content // by name in the folder
	changes []change            // of names, since the folder was synced
	states  []loss
}

type content struct {
	data     []byte
	isSynced bool
}

// change is a new name for content, or for nil one that is removed.
type change struct {
	name    string
	content *content
}

// loss is a state after a power failure.
type loss struct{ after, state string }

// record writes and returns the steps.
func (d *disk) record() ([]atomicfile.Step, error) {
	d.content, d.lasting = map[string]*content{}, map[string]*content{}
	for _, name := range names(d.t, d.folder)[1:] {
		data, err := os.ReadFile(filepath.Join(d.folder, name))
		if err != nil {
			d.t.Fatal(err)
		}
		d.lasting[filepath.Base(name)] = &content{data, true}
	}
	var lock sync.Mutex
	var steps []atomicfile.Step
	end := atomicfile.Intercept(func(s atomicfile.Step) error {
		lock.Lock()
		defer lock.Unlock()
		d.follow(steps)
		steps = append(steps, s)
		return unlessSync(s)
	})
	err := d.c.Write(d.folder)
	end()
	d.follow(steps)
	return steps, err
}

// follow applies the last step, and records the possible states after a power failure: any of the names that were not synced may
// exist.
func (d *disk) follow(steps []atomicfile.Step) {
	if len(steps) == 0 {
		return
	}
	s := steps[len(steps)-1]
	switch s.Doing {
	case atomicfile.Creating:
		d.content[s.Path] = &content{}
	case atomicfile.Writing:
		d.content[s.Path].isSynced = false
	case atomicfile.Syncing:
		if c := d.content[s.Path]; c != nil {
			data, err := os.ReadFile(s.Path)
			if err != nil {
				d.t.Error(err)
			}
			*c = content{data, true}
		}
	case atomicfile.Moving:
		c := d.content[s.Path]
		delete(d.content, s.Path)
		d.content[s.To] = c
		d.change(s.To, c)
	case atomicfile.Removing:
		d.change(s.Path, nil)
	case atomicfile.SyncFolder:
		for _, c := range d.changes {
			c.apply(d.lasting)
		}
		d.changes = nil
	}
	if s.Doing != atomicfile.Moving && s.Doing != atomicfile.Removing && s.Doing != atomicfile.SyncFolder {
		return // no name changed
	}
	for which := range 1 << len(d.changes) {
		d.lose(fmt.Sprintf("%s %s", s.Doing, filepath.Base(s.Name)), which)
	}
}

func (d *disk) change(path string, c *content) {
	if filepath.Dir(path) == d.folder {
		d.changes = append(d.changes, change{filepath.Base(path), c})
	}
}

func (c change) apply(files map[string]*content) {
	if c.content == nil {
		delete(files, c.name)
		return
	}
	copied := *c.content
	files[c.name] = &copied
}

// lose records the state in which only the changes whose bits are set in which are on the disk.
func (d *disk) lose(after string, which int) {
	files := map[string]*content{}
	for name, c := range d.lasting {
		files[name] = c
	}
	for i, c := range d.changes {
		if which>>i&1 == 1 {
			c.apply(files)
		}
	}
	folder := d.t.TempDir()
	for name, c := range files {
		data := c.data
		if !c.isSynced {
			data = nil
		}
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o644); err != nil {
			d.t.Fatal(err)
		}
	}
	d.states = append(d.states, loss{after, d.c.state(d.t, folder)})
}

// check checks the states after losses: after the end, all files must be new.
func (d *disk) check(after string) {
	for _, s := range d.states {
		if s.state != d.before && s.state != after {
			d.t.Errorf("the power goes after %s: there is %q, want %q or %q", s.after, s.state, d.before, after)
		}
	}
	d.changes = slices.DeleteFunc(d.changes, func(c change) bool { return strings.HasPrefix(c.name, ".rcfreeze-") }) // which the next one removes
	if len(d.changes) > 0 {
		d.t.Errorf("in the end, %q is not sure to last", d.changes[0].name)
	}
}
