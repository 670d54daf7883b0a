package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// outline tells what memory the steps of a run take and, if asked for, how they are computed.
func (p *printer) outline(o train.Outline, verbose bool) {
	if verbose {
		p.say("steps run on %s; %s", o.Operators, blockForms(o.TwoConv, o.Folded))
	}
	m := o.Memory
	p.say("memory for steps of %d images: about %s, of which %s for activations and gradients, %s for images, %s for parameters, %s for the optimizer's state and copies",
		m.Images, size(m.Needed()), size(m.Values), size(m.Batches), size(m.Parameters), size(m.State))
	switch n := m.Fitting(); {
	case m.Free == 0:
	case n < m.Images:
		p.say("only %s are free, enough for about %s images: with a smaller --batch-size, --grad-accum-steps keeps the images per update", size(m.Free), count(roundDown(n)))
	default:
		p.say("%s are free, enough for about %s images", size(m.Free), count(roundDown(n)))
	}
}

// blockForms says how many frozen blocks are computed in which form.
func blockForms(twoConv, folded int) string {
	return fmt.Sprintf("%d frozen blocks run as two convolutions, %d folded into one", twoConv, folded)
}

// unfolded tells why frozen blocks run as two convolutions.
func (p *printer) unfolded(fault error) {
	p.say("the model runs as it is, which is slower than with its frozen blocks folded into one convolution each: %v", fault)
}

// roundDown keeps the first two digits of a count.
func roundDown(n int) int {
	digits := 1
	for n/digits >= 100 {
		digits *= 10
	}
	return n / digits * digits
}

// size writes a number of bytes.
func size(bytes int64) string {
	switch {
	case bytes >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(bytes)/1e9)
	case bytes >= 10e6:
		return fmt.Sprintf("%.0f MB", float64(bytes)/1e6)
	case bytes < 100e3:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}
