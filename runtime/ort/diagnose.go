package ort

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// Diagnosis holds what `rcfreeze doctor` shows: which ONNX Runtime is installed, and what it can do.
type Diagnosis struct {
	Library       *Library         `json:"library,omitempty"` // nil if none is usable
	NeededVersion string           `json:"needed_version"`    // the oldest version that works
	Providers     []ProviderStatus `json:"providers"`         // empty without a library
	CPUThreads    int              `json:"cpu_threads"`       // threads that the machine can run at once
	Searched      []Searched       `json:"searched"`          // folders searched for the library, in this order
	Problem       string           `json:"problem,omitempty"` // why no library was found: places searched, and what to do
	Err           error            `json:"-"`                 // the same as an error
}

// Searched is a folder that is searched for the library.
type Searched struct {
	Folder string `json:"folder"`
	Place  string `json:"place"` // the step of the search, in words
	Found  string `json:"found"` // the libraries found in it, or what is wrong with them
}

// Diagnose initializes ONNX Runtime as Init does, and tries every execution provider. Missing parts are reported in the
// Diagnosis, not as an error.
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

// searched returns all folders that are searched for the library, or the one path that the user names. After the first usable
// library, others are only listed, because reading a library's version means loading it.
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
