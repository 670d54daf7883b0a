package ort

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
)

// place is one step of the search for the shared library: its name for messages, and its folders. In a guarded place, a library
// counts only if nobody except the user and root could have put it there.
type place struct {
	how     string
	folders []string
	guarded bool
}

// platform holds what the search needs to know about an operating system: the name of the library's file, the variable that lists
// folders with libraries, and the folders of installed libraries.
type platform struct {
	names    []string // patterns for path.Match, best first
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

// thisPlatform returns the platform of this program. Other Unix systems are treated like Linux.
func thisPlatform() platform {
	if row, ok := platforms[runtime.GOOS]; ok {
		return row
	}
	return platforms["linux"]
}

// places returns the places to search, in order, if the user does not name a library. The working directory is not one of them:
// it may contain files from others, and reading a library's version runs its code.
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

// userFolder returns the folder for libraries in the user's cache, "" if the system does not say where that is.
func userFolder() string {
	folder, err := os.UserCacheDir()
	if err != nil {
		return ""
	}
	return filepath.Join(folder, "rcfreeze", "onnxruntime")
}

// programFolder returns the folder of the program, after following links.
func programFolder() string {
	program, err := os.Executable()
	if err != nil {
		return "." // does not happen on any supported system
	}
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	return filepath.Dir(program)
}

// cachesFrom returns .cache/onnxruntime in a folder and in the folders above it, each followed by its own subfolders.
func cachesFrom(folder string) []string {
	var folders []string
	for ; ; folder = filepath.Dir(folder) {
		folders = append(folders, withUnpacked(filepath.Join(folder, ".cache", "onnxruntime"))...)
		if folder == filepath.Dir(folder) {
			return folders
		}
	}
}

// withUnpacked returns root, and folders in it that may have libraries, because a release unpacks into its own folder.
func withUnpacked(root string) []string {
	folders := []string{root, filepath.Join(root, "lib")}
	entries, _ := os.ReadDir(root) // no entries if root does not exist
	for _, entry := range entries {
		if entry.IsDir() && entry.Name() != "lib" {
			release := filepath.Join(root, entry.Name())
			folders = append(folders, release, filepath.Join(release, "lib"))
		}
	}
	return folders
}

// librariesIn returns the files in a folder that have the name of the library, best name first. A file with several names,
// because of links, is listed once.
func librariesIn(folder string) []string {
	entries, _ := os.ReadDir(folder) // no entries if the folder cannot be read
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
