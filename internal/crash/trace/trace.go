// Package trace runs a program under ptrace and watches the system calls that change files, in one order for all of its threads
// and child processes. It can make one of these calls fail, or end the program before or after it.
//
// It works on Linux, on amd64 and arm64.
package trace

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"time"
)

// Program is a program to run, and the files to watch.
type Program struct {
	Args   []string // the path of the program, then its arguments
	Dir    string   // where it starts
	Env    []string
	Stdout *os.File // nil for none, as Stderr
	Stderr *os.File
	Watch  []string      // the files and folders, including everything below them, whose calls are watched
	Limit  time.Duration // the program is killed after this time; 0 means no limit
}

// Call is a system call that changes, syncs or locks a file.
type Call struct {
	Name   string // such as "write"; "rmdir" for unlinkat of a folder
	Number int    // of the calls of this name, from 1
	Path   string // the file; links are resolved if the call has a descriptor
	To     string // the new name, for calls that rename a file
	Result int64  // the kernel's result: -1 to -4095 are errors
}

// Failed reports whether the call gave an error.
func (c Call) Failed() bool { return c.Result < 0 && c.Result > -4096 }

// String returns the call in one line, such as "rename #2 a to b".
func (c Call) String() string {
	text := fmt.Sprintf("%s #%d %s", c.Name, c.Number, c.Path)
	if c.To != "" {
		text += " to " + c.To
	}
	if c.Failed() {
		text += ": " + syscall.Errno(-c.Result).Error()
	}
	return text
}

// Kind is what an injection does.
type Kind string

// The kinds of injection.
const (
	Fail       Kind = "fail"        // the call does nothing and gives an error
	KillBefore Kind = "kill-before" // SIGKILL ends all processes, and the call does nothing
	KillAfter  Kind = "kill-after"  // the call is done, then SIGKILL ends all processes
	Interrupt  Kind = "interrupt"   // the first process gets SIGINT before the call, which goes on
)

// Kinds returns all kinds of injection.
func Kinds() []Kind { return []Kind{Fail, KillBefore, KillAfter, Interrupt} }

// Injection is what to do at one call.
type Injection struct {
	Kind   Kind
	Call   string        // the call's name
	Number int           // of the calls of this name, from 1
	Errno  syscall.Errno // the error of Fail
}

func (i *Injection) at(c *Call) bool { return i != nil && i.Call == c.Name && i.Number == c.Number }

// Outcome says how a program ran and ended.
type Outcome struct {
	Calls    []Call         // in their order
	Code     int            // the exit code, -1 if a signal ended the first process
	Signal   syscall.Signal // the signal, if Code is -1
	Injected bool           // the call of the injection was reached
	Late     bool           // the program took longer than its limit
}

// below reports whether a path is one of the watched ones or below one.
func (p *Program) below(path string) bool {
	for _, root := range p.Watch {
		if path == root || strings.HasPrefix(path, root+"/") {
			return true
		}
	}
	return false
}
