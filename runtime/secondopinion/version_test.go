package secondopinion

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/runtime/secondopinion/protocol"
)

// TestVersionNamesTheEngine fails when a module of the engine changes and the version does not: a program with the old one would be
// asked about models that only the new one computes rightly.
func TestVersionNamesTheEngine(t *testing.T) {
	modules, err := os.ReadFile("../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	_, engine, _ := strings.Cut(protocol.Version, ", ")
	for _, module := range strings.Split(engine, ", ") {
		if !bytes.Contains(modules, []byte("/"+module)) {
			t.Errorf("the version %q names %s, which go.mod does not", protocol.Version, module)
		}
	}
	if n := strings.Count(engine, ", ") + 1; n != 3 {
		t.Errorf("the version %q names %d modules, want 3: onnx-go, gorgonia and tensor", protocol.Version, n)
	}
}

// TestOtherProgramsAreTold asks programs that are not the one of this rcfreeze, or break off.
func TestOtherProgramsAreTold(t *testing.T) {
	const older = "rcfreeze second opinion 0, an engine of before"
	sound := protocol.Version + "\n{\"Dims\":[1]}\n\x01\x01\x80\x3f"
	for _, c := range []struct {
		answer      string
		says        []string // nil if the answer is sound
		unavailable bool
	}{
		{answer: sound},
		{answer: protocol.Version + "\n{\"Dims\":[2,0]}\n"},
		{answer: older + "\n{\"Dims\":[1]}\n\x01\x01\x80\x3f", says: []string{os.Args[0], older, protocol.Version, howToBuild}},
		{answer: older + "\n", says: []string{older, howToBuild}},
		{answer: "{\"Dims\":[1]}\n\x01\x01\x80\x3f", says: []string{"Dims", protocol.Version, howToBuild}},
		{answer: strings.Repeat("x", 1000), says: []string{"\"" + strings.Repeat("x", 100) + "\"", howToBuild}},
		{answer: "", says: []string{os.Args[0]}},
		{answer: protocol.Version + "\n", says: []string{os.Args[0]}},
		{answer: protocol.Version + "\nno JSON\n", says: []string{os.Args[0]}},
		{answer: sound + "more", says: []string{"take 4 bytes, got 8"}},
		{answer: sound[:len(sound)-1], says: []string{"take 4 bytes, got 3"}},
		{answer: protocol.Version + "\n{\"Dims\":[-1,-1]}\n\x01\x01\x80\x3f", says: []string{"[-1 -1] are below 0"}},
		{answer: protocol.Version + "\n{\"Error\":\"no\"}\n", says: []string{"cannot run the model: no"}, unavailable: true},
	} {
		t.Setenv(answerVariable, c.answer)
		output, err := callChild(context.Background(), os.Args[0], protocol.Request{}, nil)
		what := c.answer[:min(len(c.answer), 120)]
		if (err == nil) != (c.says == nil) {
			t.Errorf("%q: output %v, error %v", what, output, err)
			continue
		}
		for _, text := range c.says {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("%q: the error does not say %q: %v", what, text, err)
			}
		}
		var unavailable *Unavailable
		if errors.As(err, &unavailable) != c.unavailable {
			t.Errorf("%q: the error is of type %T: %v", what, err, err)
		}
	}
}

// TestOtherRequestsAreTold starts the second engine's program in other ways than this rcfreeze does: it says what it is.
func TestOtherRequestsAreTold(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		request string
		args    []string
		code    int
		answer  string // its first line
	}{
		{"rcfreeze second opinion 0\n{}\n", nil, 1, protocol.Version},
		{"{\"Model\":\"model.onnx\"}\n", nil, 1, protocol.Version},
		{"", nil, 1, protocol.Version},
		{protocol.Version + "\nno JSON\n", nil, 1, ""},
		{"", []string{"--help"}, 2, ""},
	} {
		child := exec.Command(built(t), c.args...)
		var answer, talk bytes.Buffer
		child.Stdin, child.Stdout, child.Stderr = strings.NewReader(c.request), &answer, &talk
		child.Run()
		first, _, _ := strings.Cut(answer.String(), "\n")
		if code := child.ProcessState.ExitCode(); code != c.code || first != c.answer || !strings.Contains(talk.String(), "rcfreeze export --second-opinion") {
			t.Errorf("%q %v: exit code %d, want %d; answered %q, want %q; said %q", c.request, c.args, code, c.code, first, c.answer, talk.String())
		}
	}
}
