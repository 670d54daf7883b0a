package ort

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
)

// place is one step of the search for the shared library: how it is named to the user, and its folders. In a guarded one
// only a library counts that nobody but the user and root can have put there.
type place struct {
	how     string
	folders []string
	guarded bool
}

// platform is what the search needs to know of an operating system: what the library's file is called,
// which variable lists folders of libraries, and where installed libraries are.
type platform struct {
	names    []string // patterns as of path.Match, best first
	variable string
	folders  []string
}

var platforms = map[string]platform{
	"linux": {
		names:    []string{"libonnxruntime.so", "libonnxruntime.so.1", "libonnxruntime.so.1.*"},
		variable: "LD_LIBRARY_PATH",
		folders:  []string{"/usr/local/lib", "/usr/local/lib64", "/usr/lib", "/usr/lib64", "/usr/lib/" + multiarch[runtime.GOARCH]},
	},
	"darwin": {
		names:    []string{"libonnxruntime.dylib", "libonnxruntime.1.*.dylib"},
		variable: "DYLD_LIBRARY_PATH",
		folders:  []string{"/usr/local/lib", "/opt/homebrew/lib", "/usr/lib"},
	},
	"windows": {
		names:    []string{"onnxruntime.dll"},
		variable: "PATH",
	},
}

// multiarch is the name of the folder in /usr/lib where Debian and its relatives keep libraries.
var multiarch = map[string]string{
	"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu", "riscv64": "riscv64-linux-gnu",
}

// thisPlatform is the row of the system that runs this program; other Unix systems are like Linux.
func thisPlatform() platform {
	if row, ok := platforms[runtime.GOOS]; ok {
		return row
	}
	return platforms["linux"]
}

// places returns where the library is looked for when nobody names it, first to last. The working directory is not among
// them: it may hold what somebody else packed, and to read a library's version runs its code.
func places() []place {
	system := thisPlatform()
	var user []string
	if folder := userFolder(); folder != "" {
		user = withUnpacked(folder)
	}
	program := programFolder()
	return []place{
		{"beside the program", []string{program, filepath.Join(program, "..", "lib")}, false},
		{"in .cache beside the program or above", cachesFrom(program), true},
		{"in the user's cache", user, true},
		{"in " + system.variable, filepath.SplitList(os.Getenv(system.variable)), false},
		{"in a system folder", system.folders, false},
	}
}

// userFolder returns the folder for libraries in the user's cache, "" if the system does not tell where that is.
func userFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "rcfreeze", "onnxruntime")
}

// programFolder returns the folder of the program, where links to it lead.
func programFolder() string {
	program, err := os.Executable()
	if err != nil {
		return "." // which no system does that is supported
	}
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	return filepath.Dir(program)
}

// cachesFrom returns .cache/onnxruntime of a folder and of those above it, each followed by the folders in it.
func cachesFrom(folder string) []string {
	var folders []string
	for ; ; folder = filepath.Dir(folder) {
		folders = append(folders, withUnpacked(filepath.Join(folder, ".cache", "onnxruntime"))...)
		if folder == filepath.Dir(folder) {
			return folders
		}
	}
}

// withUnpacked returns root and, since a release unpacks into a folder of its own, those in it that may hold libraries.
func withUnpacked(root string) []string {
	folders := []string{root, filepath.Join(root, "lib")}
	entries, _ := os.ReadDir(root) // a root that is not there has no entries
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "lib" {
			release := filepath.Join(root, entry.Name())
			folders = append(folders, release, filepath.Join(release, "lib"))
		}
	}
	return folders
}

// librariesIn returns the files of a folder that are named as the library is, best name first, each
// file once though links give it several names.
func librariesIn(folder string) []string {
	entries, _ := os.ReadDir(folder) // a folder that cannot be read holds nothing for us
	var found, targets []string
	for _, pattern := range thisPlatform().names {
		for _, entry := range slices.Backward(entries) { // later versions first
			if ok, _ := path.Match(pattern, entry.Name()); !ok {
				continue
			}
			file := filepath.Join(folder, entry.Name())
			target, err := filepath.EvalSymlinks(file)
			if err != nil || slices.Contains(targets, target) {
				continue
			}
			found, targets = append(found, file), append(targets, target)
		}
	}
	return found
}
