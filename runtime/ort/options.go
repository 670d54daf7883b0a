package ort

import (
	"cmp"
	"errors"
	"fmt"
	"runtime"
	"strconv"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Options says how a session runs. The zero value runs on the CPU, with all optimizations of ONNX Runtime and one thread per core
// that the process may use.
type Options struct {
	Provider Provider // CPU or CUDA; "" means CPU. Auto is an error here: Select turns it into one of them

	// Only for CUDA.
	DeviceID int  // which GPU
	TF32     bool // faster: convolutions and matrix products round their inputs to 10 bits of mantissa

	IntraOpThreads      int  // threads within one operator; 0 means one per core that the process may use
	DisableOptimization bool // run the graph as it is in the file, to check the optimizer

	// ProfilePrefix, if not empty, is the start of the path of a JSON file (Chrome's trace format) with
	// the time of every operator; it is complete when the session is closed.
	ProfilePrefix string

	// noFallback makes it an error if the CPU, not Provider, would run an operator.
	noFallback bool
	// noMemoryPattern stops ONNX Runtime from allocating the memory of a whole run at once, which it otherwise does from the
	// second run on. The session keeps the memory that the first run allocated in pieces, so this would double it.
	noMemoryPattern bool
	// declared is a model whose declared inputs and outputs are taken to be the session's, nil to ask ONNX Runtime.
	declared *onnxgraph.Model
}

// setting is one setting of a session: whether to set it, and how.
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

// Threads returns how many threads an operator has. ONNX Runtime's default is one per physical core of the machine. That is too
// few if cores run two threads each, and too many if the process may use only some of the cores. Go's count respects the affinity
// of the process and the quota of the container.
func (o Options) Threads() int { return cmp.Or(o.IntraOpThreads, runtime.GOMAXPROCS(0)) }

// build returns the options for ONNX Runtime. The caller must destroy them.
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

// appendCUDA makes a session run operators on a GPU if the CUDA provider supports them.
func appendCUDA(c *capi.SessionOptions, o Options) error {
	cuda, err := capi.NewCUDAProviderOptions()
	if err != nil {
		return err
	}
	defer cuda.Destroy()
	err = cuda.Update(map[string]string{
		"device_id": strconv.Itoa(o.DeviceID),
		// The default tries every algorithm for every new shape, which takes up to a second per convolution.
		"cudnn_conv_algo_search": "HEURISTIC",
		"use_tf32":               map[bool]string{false: "0", true: "1"}[o.TF32],
	})
	if err != nil {
		return err
	}
	return c.AppendExecutionProviderCUDA(cuda)
}
