package ort

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
)

// LibraryVariable is the environment variable that names the shared library's file, or its folder.
const LibraryVariable = "RCFREEZE_ORT_LIB"

// MinimumVersion is the oldest ONNX Runtime that has the C API version (24) that the Go wrapper uses. Newer libraries also have
// it.
const MinimumVersion = "1.24"

// ErrNoLibrary says that no usable library was found.
var ErrNoLibrary = errors.New("no usable ONNX Runtime library")

// remedy says how to get a library.
func remedy() string {
	place := ""
	if folder := userFolder(); folder != "" {
		place = ", or put it into " + folder
	}
	return "run `make setup` in the folder of rcfreeze's source, for the program that is built there; or download release " +
		MinimumVersion + " or newer of ONNX Runtime for this platform from https://github.com/microsoft/onnxruntime/releases, unpack it, " +
		"and name the library's file by --ort-lib or " + LibraryVariable + place
}

// knownFaults has a row for each version that works but has a fault that users should know of.
var knownFaults = map[string]string{
	"1.30.0": "this version leaks memory when a run fails; another version is better for long training",
}

// Library is an ONNX Runtime shared library that was found and is recent enough.
type Library struct {
	Path    string `json:"path"`
	FoundBy string `json:"found_by"` // which step of the search found it, in words
	Version string `json:"version"`
	Warning string `json:"warning,omitempty"` // a known fault of this version
}

// Find searches for the shared library, and does not initialize it. It searches in this order: the explicit path (the --ort-lib
// flag; "" if not given), the environment variable RCFREEZE_ORT_LIB, the program's folder and ../lib, .cache/onnxruntime in the
// program's folder and above, the user's cache folder (rcfreeze/onnxruntime in it), the platform's library path variable, system
// folders.
//
// A path from the flag or the variable RCFREEZE_ORT_LIB is never skipped: if it has no usable library, Find fails. If no usable
// library is found, the error is an ErrNoLibrary. It lists every place searched, what is wrong with the libraries there, and what
// to do.
func Find(explicit string) (*Library, error) {
	lib, err := search(explicit)
	if err != nil {
		return nil, missing{err}
	}
	return lib, nil
}

// missing is an error of Find: an ErrNoLibrary with another text.
type missing struct{ error }

func (e missing) Unwrap() error        { return e.error }
func (e missing) Is(target error) bool { return target == ErrNoLibrary }

func search(explicit string) (*Library, error) {
	if path, foundBy := named(explicit); path != "" {
		return findNamed(path, foundBy)
	}
	return findIn(places())
}

// named returns the path of the library that the user gave, and how; "" if the user gave none.
func named(explicit string) (path, how string) {
	if explicit != "" {
		return explicit, "flag --ort-lib"
	}
	return os.Getenv(LibraryVariable), "environment variable " + LibraryVariable
}

// findNamed checks the library that the user named by its file or its folder.
func findNamed(path, foundBy string) (*Library, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("finding ONNX Runtime: %s: %w; correct or remove it, or %s", foundBy, err, remedy())
	}
	if info.IsDir() {
		lib, err := findIn([]place{{how: foundBy, folders: []string{path, filepath.Join(path, "lib")}}})
		if err != nil {
			return nil, fmt.Errorf("%s names a folder: %w", foundBy, err)
		}
		return lib, nil
	}
	lib, err := inspect(path, foundBy)
	if err != nil {
		return nil, fmt.Errorf("finding ONNX Runtime: %s: %w; %s", foundBy, err, remedy())
	}
	return lib, nil
}

// findIn returns the first usable library of the places.
func findIn(places []place) (*Library, error) {
	searched := []error{fmt.Errorf("finding ONNX Runtime: no usable %s in any of these folders:", thisPlatform().names[0])}
	var unusable []error
	for _, place := range places {
		for _, folder := range place.folders {
			searched = append(searched, fmt.Errorf("  %s (%s)", folder, place.how))
			for _, file := range librariesIn(folder) {
				lib, err := place.inspect(folder, file)
				if err == nil {
					return lib, nil
				}
				unusable = append(unusable, err)
			}
		}
	}
	return nil, errors.Join(slices.Concat(searched, unusable, []error{errors.New(remedy())})...)
}

// inspect checks a library in a folder of the place.
func (p place) inspect(folder, file string) (*Library, error) {
	if p.guarded {
		if err := errors.Join(checkTrust(folder), checkTrust(file)); err != nil {
			return nil, err
		}
	}
	return inspect(file, p.how)
}

// inspect reads and checks the version of a library.
func inspect(path, foundBy string) (*Library, error) {
	// The loader would search for a file name without a folder.
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err == nil {
		err = plainfile.Check(path, info) // the loader would block on a pipe
	}
	if err != nil {
		return nil, err
	}
	version, err := readVersion(path)
	if err != nil {
		return nil, fmt.Errorf("%s is not a usable ONNX Runtime library: %w", path, err)
	}
	if err := checkVersion(version); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return &Library{Path: path, FoundBy: foundBy, Version: version, Warning: knownFaults[version]}, nil
}

// checkVersion compares a library's version, such as "1.24.3", with MinimumVersion.
func checkVersion(version string) error {
	var major, minor, needMajor, needMinor int
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		return fmt.Errorf("cannot understand its version %q", version)
	}
	if _, err := fmt.Sscanf(MinimumVersion, "%d.%d", &needMajor, &needMinor); err != nil {
		return err
	}
	if major < needMajor || major == needMajor && minor < needMinor {
		return fmt.Errorf("this is ONNX Runtime %s, which is too old: version %s or newer is needed", version, MinimumVersion)
	}
	return nil
}
