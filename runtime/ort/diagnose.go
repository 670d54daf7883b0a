package ort

import "runtime"

// Diagnosis is what `rcfreeze doctor` shows: which ONNX Runtime is here and what it can do.
type Diagnosis struct {
	Library       *Library         `json:"library,omitempty"` // nil if none is usable
	NeededVersion string           `json:"needed_version"`    // the oldest that serves
	Providers     []ProviderStatus `json:"providers"`         // empty without a library
	CPUThreads    int              `json:"cpu_threads"`       // threads that the machine runs at once
	Problem       string           `json:"problem,omitempty"` // why there is no library: places searched and remedy
}

// Diagnose initialises ONNX Runtime as Init does and tries every provider. What is missing is part of
// the answer, not an error.
func Diagnose(explicit string) Diagnosis {
	d := Diagnosis{NeededVersion: MinimumVersion, CPUThreads: runtime.NumCPU(), Providers: []ProviderStatus{}}
	lib, err := Init(explicit)
	if err != nil {
		d.Problem = err.Error()
		return d
	}
	d.Library = lib
	for _, p := range []Provider{CPU, CUDA} {
		d.Providers = append(d.Providers, probe(p))
	}
	return d
}
