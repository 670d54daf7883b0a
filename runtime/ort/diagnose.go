package ort

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Diagnosis is what `rcfreeze doctor` shows: which ONNX Runtime is here and what it can do.
type Diagnosis struct {
	Library       *Library         `json:"library,omitempty"` // nil if none is usable
	NeededVersion string           `json:"needed_version"`    // the oldest that works
	Providers     []ProviderStatus `json:"providers"`         // empty without a library
	CPUThreads    int              `json:"cpu_threads"`       // threads that the machine runs at once
	Searched      []Searched       `json:"searched"`          // where the library is looked for, in this order
	Problem       string           `json:"problem,omitempty"` // why there is no library: places searched and remedy
	Err           error            `json:"-"`                 // the same as an error
}

// Searched is a folder in which the library is looked for.
type Searched struct {
	Folder string `json:"folder"`
	Place  string `json:"place"` // which step of the search it belongs to, in words
	Found  string `json:"found"` // the libraries in it, or what is wrong with them
}

// Diagnose initializes ONNX Runtime as Init does and tries every provider. What is missing is part of
// the answer, not an error.
func Diagnose(explicit string) Diagnosis {
	d := Diagnosis{NeededVersion: MinimumVersion, CPUThreads: runtime.NumCPU(), Providers: []ProviderStatus{}}
	d.Searched = searched(explicit)
	lib, err := Init(explicit)
	if err != nil {
		d.Err, d.Problem = err, err.Error()
		return d
	}
	d.Library = lib
	for _, p := range []Provider{CPU, CUDA} {
		d.Providers = append(d.Providers, probe(p))
	}
	return d
}

// searched returns all folders in which the library is looked for, or the one path that the user names. Behind the first that
// serves libraries are only named: to read the version of one is to load it.
func searched(explicit string) []Searched {
	if path, how := named(explicit); path != "" {
		return []Searched{{path, how, "named by the user"}}
	}
	var list []Searched
	served := false
	for _, place := range places() {
		for _, folder := range place.folders {
			var found []string
			for _, file := range librariesIn(folder) {
				text := filepath.Base(file)
				if served {
					found = append(found, text+", not needed")
					continue
				}
				lib, err := place.inspect(folder, file)
				if served = err == nil; served {
					text += " " + lib.Version
				} else {
					text = err.Error()
				}
				found = append(found, text)
			}
			if found == nil {
				found = []string{"no library"}
				if _, err := os.Stat(folder); err != nil {
					found = []string{"no such folder"}
				}
			}
			list = append(list, Searched{folder, place.how, strings.Join(found, "; ")})
		}
	}
	return list
}
