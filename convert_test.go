package rcfreeze

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/transform"
)

// TestTellConversions warns of blocks that lose much, and of those that train more than their source.
func TestTellConversions(t *testing.T) {
	row := func(before, after int64, expansion int, relative, output float64) transform.Conversion {
		c := transform.Conversion{Outcome: transform.Outcome{Node: "conv", Status: transform.Converted}, Out: 4, Expansion: expansion}
		c.Before.Trainable, c.After.Trainable = before, after
		if relative >= 0 {
			c.Error = &relative
		}
		if output >= 0 {
			c.OutputError = &output
		}
		return c
	}
	shared := row(0, 0, 4, 0.9, -1)
	shared.SharedWith = "conv"
	skipped := transform.Conversion{Outcome: transform.Outcome{Status: transform.Skipped}}
	noted := row(10, 5, 1, 0, -1)
	noted.Note = "sinusoids"
	for name, c := range map[string]struct {
		rows             []transform.Conversion
		scratch, bounded bool
		want             []string // of each line
	}{
		"nothing":                    {nil, false, false, []string{"no convolution"}},
		"good":                       {[]transform.Conversion{row(10, 5, 1, 0.5, -1), skipped}, false, false, nil},
		"random":                     {[]transform.Conversion{row(10, 5, 1, -1, -1)}, false, false, nil},
		"large errors of weights":    {[]transform.Conversion{row(10, 5, 1, 0.51, -1), row(10, 5, 1, 0.1, -1), skipped}, false, false, []string{"the filters of 1 of 2 frozen blocks (conv) have a relative error above 0.5: "}},
		"large errors in all":        {[]transform.Conversion{row(10, 5, 1, 0.9, -1), row(10, 5, 1, 0.9, -1)}, false, false, []string{"the filters of all frozen blocks have"}},
		"a place of the same block":  {[]transform.Conversion{row(10, 5, 1, 0.9, -1), shared}, false, false, []string{"of the frozen block conv have"}},
		"the output's error counts":  {[]transform.Conversion{row(10, 5, 1, 0.9, 0.2)}, false, false, nil},
		"large errors of outputs":    {[]transform.Conversion{row(10, 5, 1, 0.2, 0.9)}, false, false, []string{"the outputs of the frozen block conv have a relative error above 0.5: "}},
		"errors that do not count":   {[]transform.Conversion{row(10, 5, 1, 0.9, -1)}, true, false, nil},
		"growing":                    {[]transform.Conversion{row(10, 5, 4, 0, -1), row(1000, 2500, 4, 0, -1)}, false, false, []string{"more parameters train in 1 of 2 frozen blocks (conv) than in the original, 2,500 instead of 1,000: with a smaller -E fewer train, but"}},
		"growing within a bound":     {[]transform.Conversion{row(10, 5, 4, 0.9, -1), row(1000, 2500, 4, 0.9, -1)}, false, true, []string{"instead of 1,000: a larger --max-error takes fewer"}},
		"growing without expansion":  {[]transform.Conversion{row(10, 11, 1, 0, -1)}, false, false, []string{"--layout depthwise"}},
		"both, and fixed on purpose": {[]transform.Conversion{noted, row(10, 11, 1, 0.8, -1)}, false, false, []string{"--max-error", "more parameters train", "on purpose"}},
	} {
		var talk bytes.Buffer
		reporterTo(&talk, false).tellConversions(c.rows, c.scratch, c.bounded)
		lines := strings.Split(strings.TrimSuffix(talk.String(), "\n"), "\n")
		if talk.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(c.want) {
			t.Errorf("%s: says %q, want %d lines", name, lines, len(c.want))
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: says %q, want %q", name, lines[i], want)
			}
		}
	}
}
