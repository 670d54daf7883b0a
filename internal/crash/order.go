package main

import (
	"fmt"
	"path"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/crash/trace"
)

// After a power failure, any part of the changes that were not synced may be on the disk: of the data of files, and of the names
// in folders. With these rules, only one result is possible: the files that a kill at the same point leaves. The kills test that.
//
//   - A file's data is synced before the file gets its lasting name, and not changed after.
//   - The folder is synced after each lasting name that is given, before the next one is given or taken, and before anything is
//     printed to standard output.
//
// A file may be renamed to another lasting name, and a new file may then take its name without a sync between them: whichever
// change is on the disk, the older file has one of the names, and the kills test that it is found there. A removed name may come
// back. Then there is one file too many, not too few, and the next command removes it again. Names that exist neither before nor
// after the command are not lasting, and may be lost. The same holds for a lock, a file on which flock is called, because its
// content is useless to a later process.
type order struct {
	lasts   func(path string) bool // has a lasting name
	stdout  string
	dirty   map[string]string     // files with data that is not synced, and by which call
	waiting map[string]trace.Call // folders with names that are given and not synced, and by which call
	locks   map[string]bool
	broken  []string
}

// checkOrder returns how the calls of a command break the rules.
func checkOrder(calls []trace.Call, lasts func(path string) bool, stdout string) []string {
	o := order{lasts: lasts, stdout: stdout, dirty: map[string]string{}, waiting: map[string]trace.Call{}, locks: map[string]bool{}}
	for _, c := range calls {
		if c.Name == "flock" {
			o.locks[c.Path] = true
		}
	}
	for _, c := range calls {
		if !c.Failed() {
			o.add(c)
		}
	}
	o.settled("the end")
	for file, by := range o.dirty {
		if lasts(file) && !o.locks[file] {
			o.blame("the end: the data of %s, which %s changed, is not synced", file, by)
		}
	}
	return o.broken
}

func (o *order) blame(format string, args ...any) {
	o.broken = append(o.broken, fmt.Sprintf(format, args...))
}

// settled records a fault if something happens before changed folders are synced.
func (o *order) settled(before string) {
	for folder, by := range o.waiting {
		o.blame("%s comes before the folder %s is synced after %s", before, folder, by)
	}
	clear(o.waiting)
}

// given records that a call gave a lasting name.
func (o *order) given(c trace.Call, file string) {
	if before, ok := o.waiting[path.Dir(file)]; ok && before.Name == "rename" && before.Path == file {
		delete(o.waiting, path.Dir(file))
	}
	o.settled(c.String())
	o.waiting[path.Dir(file)] = c
}

func (o *order) add(c trace.Call) {
	switch c.Name {
	case "write", "pwrite64", "writev", "pwritev", "pwritev2", "sendfile", "copy_file_range", "splice", "mmap", "ftruncate", "truncate", "fallocate":
		if c.Path == o.stdout {
			o.settled("what is printed")
			return
		}
		if o.lasts(c.Path) && !o.locks[c.Path] {
			o.blame("%s changes a file in place", c)
		}
		o.dirty[c.Path] = c.String()
	case "openat":
		if o.lasts(c.Path) && !o.locks[c.Path] {
			o.blame("%s opens a file to change it in place", c)
		}
	case "fsync", "fdatasync":
		delete(o.dirty, c.Path)
		delete(o.waiting, c.Path)
	case "rename", "link":
		if by, ok := o.dirty[c.Path]; ok && o.lasts(c.To) {
			o.blame("%s comes before its data is synced, which %s changed", c, by)
		}
		o.moved(c.Path, c.To)
		if o.lasts(c.To) {
			o.given(c, c.To)
		}
	case "mkdir", "symlink":
		if o.lasts(c.Path) {
			o.given(c, c.Path)
		}
	case "unlink", "rmdir":
		delete(o.dirty, c.Path)
		if o.lasts(c.Path) {
			o.settled(c.String())
		}
	}
}

// moved transfers what is known about a file, or about the content of a folder, to its new name.
func (o *order) moved(from, to string) {
	delete(o.dirty, to)
	for file, by := range o.dirty {
		if file == from || strings.HasPrefix(file, from+"/") {
			delete(o.dirty, file)
			if !o.lasts(to) { // else it was blamed
				o.dirty[to+strings.TrimPrefix(file, from)] = by
			}
		}
	}
}
