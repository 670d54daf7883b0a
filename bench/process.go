package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// process is a contestant in a process of its own: for every line on its stdin, a number, it does the work so often and
// answers {"ms": [the time of each]}.
type process struct {
	cmd   *exec.Cmd
	stdin io.WriteCloser
	lines *bufio.Scanner
	talk  *strings.Builder // what it said on stderr
}

func start(ctx context.Context, name string, args ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, name, args...), talk: &strings.Builder{}}
	p.cmd.Stderr = p.talk
	stdin, err := p.cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.stdin, p.lines = stdin, bufio.NewScanner(stdout)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	if _, err := p.do(1); err != nil { // the first is slower: it allocates memory and chooses kernels
		p.close()
		return nil, err
	}
	return p, nil
}

func (p *process) do(n int) ([]float64, error) {
	if _, err := fmt.Fprintln(p.stdin, n); err != nil {
		return nil, p.failed(err)
	}
	if !p.lines.Scan() {
		return nil, p.failed(p.lines.Err())
	}
	var answer struct{ MS []float64 }
	if err := json.Unmarshal(p.lines.Bytes(), &answer); err != nil {
		return nil, p.failed(err)
	}
	return answer.MS, nil
}

// failed returns why the process has ended.
func (p *process) failed(err error) error {
	err = errors.Join(err, p.close())
	if talk := strings.TrimSpace(p.talk.String()); talk != "" {
		err = errors.New(talk[strings.LastIndex(talk, "\n")+1:])
	}
	return fmt.Errorf("%s ended: %w", p.cmd.Path, err)
}

// peak reads Linux's record of the process.
func (p *process) peak() (float64, error) {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("reading the peak of memory: %w", err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kB, err := strconv.ParseFloat(strings.Fields(rest + " none")[0], 64)
	if err != nil {
		return 0, fmt.Errorf("reading the peak of memory: %w", err)
	}
	return kB / 1024, nil
}

func (p *process) close() error {
	p.stdin.Close()
	return p.cmd.Wait()
}
