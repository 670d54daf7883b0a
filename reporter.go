package rcfreeze

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// Reporter gets messages and progress. The zero value ignores them. Its functions are called one at a time.
type Reporter struct {
	// Say is called with messages of one line each: what was decided for the user, found or left out, and a line per epoch of
	// training. Its arguments are like those of fmt.Printf, so log.Printf can be used. Arguments may come from models and files:
	// escape them before you print them to a terminal.
	Say func(format string, args ...any)

	// Progress is called during long work: done of total steps of a task, such as "measuring", are finished. details is a text.
	Progress func(task string, done, total int, details string)

	Verbose bool // also report how models run, and which parameters train
}

func (r Reporter) say(format string, args ...any) {
	if r.Say != nil {
		r.Say(format, args...)
	}
}

func (r Reporter) progress(task string, done, total int, details string) {
	if r.Progress != nil {
		r.Progress(task, done, total, details)
	}
}

// projecting returns a function that reports how many convolutions are projected, and stops the work when ctx is done.
func (r Reporter) projecting(ctx context.Context) func(done, total int) error {
	return func(done, total int) error {
		r.progress("projecting", done, total, "convolutions")
		return ctx.Err()
	}
}

// unmerged reports why frozen blocks run as two convolutions.
func (r Reporter) unmerged(fault error) {
	r.say("the frozen blocks run as two convolutions each, which is slower than merged: %v", fault)
}

// outlined reports how a model runs while it is measured.
func (r Reporter) outlined(o evaluate.Outline) {
	if r.Verbose {
		r.say("%s", forms(o.TwoConv, o.Merged))
	}
	if o.Fault != nil {
		r.unmerged(o.Fault)
	}
}

// forms returns a text that says how many frozen blocks are computed in each form.
func forms(twoConv, merged int) string {
	return fmt.Sprintf("%d frozen blocks run as two convolutions, %d merged into one", twoConv, merged)
}
