package main

import (
	"fmt"
	"io"
	"time"

	"github.com/schollz/progressbar/v3"
)

// sayEvery is how often progress is reported where no bar can be drawn.
const sayEvery = 10 * time.Second

// progress shows the progress of long work: as a bar on a terminal, otherwise as a line from time to time.
type progress struct {
	w        io.Writer
	terminal bool
	bar      *progressbar.ProgressBar // of the current task, nil if none is shown
	task     string
	said     time.Time
}

// show shows that done of total pieces of a task are finished.
func (p *progress) show(task string, done, total int, details string) {
	if !p.terminal {
		if time.Since(p.said) >= sayEvery {
			p.said = time.Now()
			fmt.Fprintf(p.w, "%s: %d/%d %s\n", task, done, total, details)
		}
		return
	}
	if p.bar == nil || p.task != task {
		p.clear()
		p.task = task
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(p.w), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionClearOnFinish())
	}
	p.bar.Describe(task + " " + details)
	p.bar.Set(done)
	if done == total {
		p.clear()
	}
}

// clear takes the bar off the terminal, so that text can be written.
func (p *progress) clear() {
	if p.bar != nil {
		p.bar.Clear()
		p.bar = nil
	}
}
