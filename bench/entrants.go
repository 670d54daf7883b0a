package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"time"
)

// worker is this program, in a process of its own, with work of the given kind (see work.go).
func worker(ctx context.Context, l *lab, kind string, m model, args ...string) (contestant, error) {
	path, err := l.path(ctx, m)
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return start(ctx, self, slices.Concat([]string{workCommand, kind, path, "--ort-lib", l.library.Path}, m.flags(), args)...)
}

func batchFlag(batch int) []string { return []string{"--batch-size", strconv.Itoa(batch)} }

// stepsOf are our training steps.
func stepsOf(m model, batch int, flags ...string) entrant {
	return entrant{"rcfreeze", func(ctx context.Context, l *lab) (contestant, error) {
		return worker(ctx, l, "step", m, append(flags, batchFlag(batch)...)...)
	}}
}

// inferences are runs of the model in ONNX Runtime.
func inferences(m model, batch int) entrant {
	return entrant{"source", func(ctx context.Context, l *lab) (contestant, error) {
		return worker(ctx, l, "infer", m, batchFlag(batch)...)
	}}
}

// onData does work of a kind with a data set.
func onData(name, kind string, m model, batch int, data data) entrant {
	return entrant{name, func(ctx context.Context, l *lab) (contestant, error) {
		folder, err := l.data(data)
		if err != nil {
			return nil, err
		}
		return worker(ctx, l, kind, m, append(batchFlag(batch), "--data", folder, "--augment", data.augment)...)
	}}
}

// epochStepsOf are our training epochs, of which the time is divided by the number of steps.
func epochStepsOf(m model, batch int, data data) entrant {
	return onData("rcfreeze", "steps of an epoch", m, batch, data)
}

// torchSteps are PyTorch's training steps.
func torchSteps(m model, batch int) entrant {
	return entrant{"PyTorch", func(ctx context.Context, l *lab) (contestant, error) {
		if l.torch == "" {
			return nil, errNotInstalled
		}
		path, err := l.path(ctx, m)
		if err != nil {
			return nil, err
		}
		args := []string{filepath.Join("testdata", "torch", "reference.py"), "time", path, "--rounds", "--threads", strconv.Itoa(l.cores)}
		if m.expansion > 0 {
			frozen, err := l.frozenNames(path)
			if err != nil {
				return nil, err
			}
			args = append(args, "--frozen", frozen)
		}
		return start(ctx, l.python, append(args, batchFlag(batch)...)...)
	}}
}

// calls is a contestant that is a function, called again and again.
type calls func() error

func (c calls) do(n int) ([]float64, error) {
	var taken []float64
	for range n {
		start := time.Now()
		if err := c(); err != nil {
			return nil, err
		}
		taken = append(taken, milliseconds(time.Since(start)))
	}
	return taken, nil
}

func (calls) peak() (float64, error) {
	return 0, errors.New("the peak of memory of a command is not measured")
}
func (calls) close() error { return nil }

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// command is a call of rcfreeze.
func command(name string, m model, flags ...string) entrant {
	return entrant{"rcfreeze", func(ctx context.Context, l *lab) (contestant, error) {
		path, err := l.path(ctx, m)
		if err != nil {
			return nil, err
		}
		args := append([]string{name, path}, flags...)
		if name == "convert" {
			args = append(args, "-o", l.scratch("converted.onnx"))
		}
		return calls(func() error { return quietly(exec.CommandContext(ctx, "./rcfreeze", args...)) }), nil
	}}
}

// copying is a copy of a model's file by the system's own command.
func copying(m model) entrant {
	return entrant{"cp", func(ctx context.Context, l *lab) (contestant, error) {
		path, err := l.path(ctx, m)
		if err != nil {
			return nil, err
		}
		return calls(func() error { return quietly(exec.CommandContext(ctx, "cp", path, l.scratch("copied.onnx"))) }), nil
	}}
}
