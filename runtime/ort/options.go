package ort

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"
)

// Options says how a session runs. The zero value runs on the CPU with every optimization of ONNX
// Runtime and a thread per core that the process may use.
type Options struct {
	Provider Provider // CPU if empty; Auto must be settled by Select first

	// CUDA only.
	DeviceID int  // which GPU
	TF32     bool // let convolutions and matrix products round their inputs to 10 bits of mantissa: faster

	IntraOpThreads      int  // threads within one operator, 0 for one per core that the process may use
	DisableOptimization bool // run the graph as it is written, to verify what the optimizer does

	// ProfilePrefix, if not empty, is the start of the path of a JSON file (Chrome's trace format) with
	// the time of every operator; it is complete when the session is closed.
	ProfilePrefix string

	// noFallback makes it an error that an operator is not run by Provider but by the CPU.
	noFallback bool
	// noMemoryPattern keeps a session from taking memory for a whole run at once from the second run on. What
	// the first run took piece by piece stays with the session, so that would double it.
	noMemoryPattern bool
}

// setting is one row of what a session's options need: whether it applies, and how it is set.
type setting struct {
	name    string
	applies bool
	set     func(*capi.SessionOptions) error
}

func (o Options) settings() []setting {
	return []setting{
		{"threads", true, func(c *capi.SessionOptions) error {
			return c.SetIntraOpNumThreads(o.Threads())
		}},
		{"optimization", o.DisableOptimization, func(c *capi.SessionOptions) error {
			return c.SetGraphOptimizationLevel(capi.GraphOptimizationLevelDisableAll)
		}},
		{"memory pattern", o.noMemoryPattern, func(c *capi.SessionOptions) error {
			return c.SetMemPattern(false)
		}},
		{"profiling", o.ProfilePrefix != "", func(c *capi.SessionOptions) error {
			return c.EnableProfiling(o.ProfilePrefix)
		}},
		{"fallback", o.noFallback, func(c *capi.SessionOptions) error {
			return c.AddSessionConfigEntry("session.disable_cpu_ep_fallback", "1")
		}},
		{"provider cuda", o.Provider == CUDA, func(c *capi.SessionOptions) error {
			return appendCUDA(c, o)
		}},
	}
}

// Threads returns how many threads an operator has. ONNX Runtime's own default is one per physical core of the machine: too few
// if cores run two threads each, and too many if the process may use only a part of the machine. Go's count respects the
// affinity of the process and the quota of the container.
func (o Options) Threads() int { return cmp.Or(o.IntraOpThreads, runtime.GOMAXPROCS(0)) }

// build returns ONNX Runtime's form of the options, which the caller destroys.
func (o Options) build() (*capi.SessionOptions, error) {
	if o.Provider != "" && o.Provider != CPU && o.Provider != CUDA {
		return nil, fmt.Errorf("provider %q: a session needs %s or %s (Select settles %s)", o.Provider, CPU, CUDA, Auto)
	}
	c, err := capi.NewSessionOptions()
	if err != nil {
		return nil, err
	}
	for _, s := range o.settings() {
		if !s.applies {
			continue
		}
		if err := s.set(c); err != nil {
			return nil, errors.Join(fmt.Errorf("setting %s: %w", s.name, err), c.Destroy())
		}
	}
	return c, nil
}

// appendCUDA makes a session run on a GPU what the CUDA provider can run.
func appendCUDA(c *capi.SessionOptions, o Options) error {
	cuda, err := capi.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	err = cuda.Update(map[string]string{
		"device_id": strconv.Itoa(o.DeviceID),
		// The default tries every algorithm for every new shape, which takes up to a second per conv.
		"cudnn_conv_algo_search": "HEURISTIC",
		"use_tf32":               map[bool]string{false: "0", true: "1"}[o.TF32],
	})
	if err != nil {
		return err
	}
	return c.AppendExecutionProviderCUDA(cuda)
}
