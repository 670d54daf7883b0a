// Package trace runs a program under ptrace and watches the system calls by which it changes files, in one order over all
// of its threads and child processes. It can make one of these calls fail, or end the program before or after it.
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
	Watch  []string      // calls count that touch one of these files or folders, or what is below them
	Limit  time.Duration // after which the program is killed, 0 for none
}

// Call is a system call that changes a file, or that makes sure of a change or of a lock.
type Call struct {
	Name   string // such as "write"; "rmdir" for unlinkat of a folder
	Number int    // of the calls of this name, from 1
	Path   string // the file, with all links resolved where the call got a descriptor
	To     string // the new name, of calls that give a file another name
	Result int64  // as the kernel gave it: -1 to -4095 stand for errors
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
	Errno  syscall.Errno // what Fail gives
}

func (i *Injection) at(c *Call) bool { return i != nil && i.Call == c.Name && i.Number == c.Number }

// Outcome is what became of a program.
type Outcome struct {
	Calls    []Call         // in their order
	Code     int            // the exit code, -1 if a signal ended the first process
	Signal   syscall.Signal // which, if one did
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
