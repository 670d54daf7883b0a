package rcfreeze

import (
	"fmt"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/train"
)

// reporterTo returns a Reporter that writes what it is told, a line each.
func reporterTo(w io.Writer, verbose bool) Reporter {
	return Reporter{Say: func(format string, args ...any) { fmt.Fprintf(w, format+"\n", args...) }, Verbose: verbose}
}

func TestAtMost(t *testing.T) {
	for _, c := range []struct{ asked, cores, want int }{{0, 4, 0}, {1, 4, 1}, {4, 4, 4}, {5, 4, 4}, {100_000, 1, 1}} {
		var talk strings.Builder
		got := reporterTo(&talk, false).atMost("--threads", c.asked, c.cores)
		said := ""
		if c.want != c.asked {
			said = fmt.Sprintf("--threads is %d instead of %d: this process may use no more cores\n", c.want, c.asked)
		}
		if got != c.want || talk.String() != said {
			t.Errorf("%d of %d cores: got %d and said %q", c.asked, c.cores, got, talk.String())
		}
	}
}

// TestMemoryOutline checks what is told of memory by how much is free.
func TestMemoryOutline(t *testing.T) {
	m := train.Memory{Images: 100, Values: 900e6, Batches: 100e6, Parameters: 1e6, State: 3e6}
	for _, c := range []struct {
		free int64
		want string
	}{
		{0, `about 1.0 GB, .*\n$`},
		{20e9, `\n20\.0 GB of memory are free, enough for a --batch-size of about 1,500\n$`},
		{1255e6, `\n1\.3 GB of memory are free, enough for a --batch-size of about 100\n$`},
		{1254e6, `only 1\.3 GB of memory are free, enough for a --batch-size of about 99: use a smaller one; --grad-accum-steps`},
		{1e6, `only 1\.0 MB of memory are free, enough for a --batch-size of about 0: `},
	} {
		var talk strings.Builder
		m.Free = c.free
		reporterTo(&talk, false).outline(train.Outline{Memory: m})
		if !regexp.MustCompile(c.want).MatchString(talk.String()) {
			t.Errorf("with %d bytes free: %q, want %s", c.free, talk.String(), c.want)
		}
	}
}
