package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Provider is an execution provider of ONNX Runtime: the part that runs the operators.
type Provider string

// The providers that sessions can run on, and Auto, which Select replaces by CUDA if it is usable, otherwise by CPU.
const (
	CPU  Provider = "cpu"
	CUDA Provider = "cuda"
	Auto Provider = "auto"
)

// ParseProvider returns the provider with the given name: cpu, cuda or auto.
func ParseProvider(name string) (Provider, error) {
	switch p := Provider(name); p {
	case CPU, CUDA, Auto:
		return p, nil
	}
	return "", fmt.Errorf("unknown provider %q: use %s, %s or %s", name, CPU, CUDA, Auto)
}

// ProviderStatus says whether a provider can be used.
type ProviderStatus struct {
	Provider   Provider `json:"provider"`
	CompiledIn bool     `json:"compiled_in"`      // the library has it
	Usable     bool     `json:"usable"`           // a small model ran on it
	Reason     string   `json:"reason,omitempty"` // why it is not usable, and what to do
}

// Select returns which provider to use, and why. Call it after Init. If choice is CUDA and it cannot be used, the error says why
// and what to do. Only Auto falls back to the CPU; reason then says why.
func Select(choice Provider) (p Provider, reason string, err error) {
	if !capi.IsInitialized() {
		return "", "", fmt.Errorf("selecting provider %s: %w", choice, errNotInitialized)
	}
	if choice != CUDA && choice != Auto {
		return choice, "as asked", nil
	}
	status := probe(CUDA)
	switch {
	case status.Usable && choice == Auto:
		return CUDA, "a test model ran on the GPU", nil
	case status.Usable:
		return CUDA, "as asked", nil
	case choice == Auto:
		return CPU, "cuda cannot be used: " + status.Reason, nil
	}
	return "", "", fmt.Errorf("selecting provider cuda: %s; or use --provider cpu", status.Reason)
}

// probe finds out whether p is usable: it runs a small model on it, without fallback to the CPU.
func probe(p Provider) ProviderStatus {
	status := ProviderStatus{Provider: p, CompiledIn: true}
	if p == CUDA {
		if err := compiledInCUDA(); err != nil {
			status.CompiledIn, status.Reason = false, explainCUDA(err, libraryPath())
			return status
		}
	}
	if err := runProbe(p); err != nil {
		status.Reason = err.Error()
		if p == CUDA {
			status.Reason = explainCUDA(err, libraryPath())
		}
		return status
	}
	status.Usable = true
	return status
}

// compiledInCUDA returns nil if the library was built with the CUDA provider.
func compiledInCUDA() error {
	cuda, err := capi.NewCUDAProviderOptions()
	if err != nil {
		if strings.Contains(err.Error(), "not enabled in this build") {
			return err
		}
		return nil // CUDA is compiled in, but something that it needs is missing: the run of the probe will say what
	}
	return cuda.Destroy()
}

// runProbe runs a convolution on p, because that also needs cuDNN, which the provider loads late.
func runProbe(p Provider) error {
	model, err := probeModel()
	if err != nil {
		return err
	}
	session, err := OpenBytes(model, Options{Provider: p, IntraOpThreads: 1, noFallback: p != CPU})
	if err != nil {
		return err
	}
	defer session.Close()
	image := []int64{1, 1, 3, 3}
	outputs, err := session.Run(map[string]*onnxgraph.Tensor{
		"x": onnxgraph.NewTensor(image, []float32{0, 0, 0, 0, 3, 0, 0, 0, 0}),
	})
	if err != nil {
		return err
	}
	sum, err := outputs["y"].Float32s()
	if err != nil {
		return err
	}
	if sum[0] != 6 {
		return fmt.Errorf("a test convolution gave %v instead of 6", sum[0])
	}
	return nil
}

// probeModel returns a 3×3 convolution whose weights are all 2.
func probeModel() ([]byte, error) {
	m := onnxgraph.New("probe", 8, 17)
	x, err := m.Graph.AddInput("x", onnxgraph.Float32, onnxgraph.Static(1, 1, 3, 3))
	if err != nil {
		return nil, err
	}
	w := m.Graph.AddConstant("w", onnxgraph.NewTensor([]int64{1, 1, 3, 3}, []float32{2, 2, 2, 2, 2, 2, 2, 2, 2}))
	y := m.Graph.AddNode("Conv", []*onnxgraph.Value{x, w}).Output(0)
	m.Graph.Rename(y, "y")
	m.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(1, 1, 1, 1))
	return m.Bytes()
}

// providerFiles has the name of the file beside the library with the CUDA provider.
var providerFiles = map[string]string{
	"linux":   "libonnxruntime_providers_cuda.so",
	"windows": "onnxruntime_providers_cuda.dll",
}

// explainCUDA says why the CUDA provider of a library cannot be used, and what to do. ONNX Runtime does not always say which
// library is missing, but the system's loader does.
func explainCUDA(cause error, library string) string {
	file, ok := providerFiles[runtime.GOOS]
	if !ok {
		return fmt.Sprintf("%v (there is no CUDA for %s)", cause, runtime.GOOS)
	}
	if target, err := filepath.EvalSymlinks(library); err == nil {
		library = target
	}
	path := filepath.Join(filepath.Dir(library), file)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return fmt.Sprintf("%v (%s has no %s beside it): use the GPU package of the ONNX Runtime release "+
			"(onnxruntime-<platform>-gpu), and the CUDA and cuDNN that its release notes name", cause, library, file)
	}
	if err := tryLoad(path); err != nil {
		return fmt.Sprintf("%v (loading %s: %v): install what the loader misses (CUDA and cuDNN as the release notes name them), or add its folder to %s",
			cause, path, err, thisPlatform().variable)
	}
	return fmt.Sprintf("%v: check with nvidia-smi that the NVIDIA driver is running and a GPU is free", cause)
}
