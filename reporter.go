package rcfreeze

import (
	"context"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// Reporter gets messages and progress. The zero value ignores them. Its functions are called one at a time.
type Reporter struct {
	// Say gets messages, one line each, with arguments as of fmt.Printf: what was decided for the user, found or left out, and
	// a line per epoch of training. log.Printf fits. Arguments may come from models and files: escape them before you print
	// them to a terminal.
	Say func(format string, args ...any)

	// Progress gets how far long work is: done of total steps of a task, such as "measuring", with details in words.
	Progress func(task string, done, total int, details string)

	Verbose bool // say more: what runs the model, and what trains
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

// projecting returns what tells how many convolutions are projected, and ends that with ctx.
func (r Reporter) projecting(ctx context.Context) func(done, total int) error {
	return func(done, total int) error {
		r.progress("projecting", done, total, "convolutions")
		return ctx.Err()
	}
}

// unmerged tells why frozen blocks run as two convolutions.
func (r Reporter) unmerged(fault error) {
	r.say("the frozen blocks run as two convolutions each, which is slower than merged: %v", fault)
}

// outlined tells how a model is run that is measured.
func (r Reporter) outlined(o evaluate.Outline) {
	if r.Verbose {
		r.say("%s", forms(o.TwoConv, o.Merged))
	}
	if o.Fault != nil {
		r.unmerged(o.Fault)
	}
}

// forms says how many frozen blocks are computed in which form.
func forms(twoConv, merged int) string {
	return fmt.Sprintf("%d frozen blocks run as two convolutions, %d merged into one", twoConv, merged)
}
