package ort

import (
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
)

// place is one step of the search for the shared library: how it is named to the user, and its folders.
type place struct {
	how     string
	folders []string
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

// places returns where the library is looked for when nobody names it, first to last.
func places() []place {
	system := thisPlatform()
	return []place{
		{"beside the program", besideProgram()},
		{"in the project's cache folder", cacheFolders()},
		{"in " + system.variable, filepath.SplitList(os.Getenv(system.variable))},
		{"in a system folder", system.folders},
	}
}

func besideProgram() []string {
	program, err := os.Executable()
	if err != nil {
		return nil
	}
	if target, err := filepath.EvalSymlinks(program); err == nil {
		program = target
	}
	folder := filepath.Dir(program)
	return []string{folder, filepath.Join(folder, "..", "lib")}
}

// cacheFolders returns .cache/onnxruntime of the working directory and of its parents, then the user's
// cache folder. Each is followed by the folders in it, since a release unpacks into one of its own.
func cacheFolders() []string {
	var roots []string
	if folder, err := os.Getwd(); err == nil {
		for ; ; folder = filepath.Dir(folder) {
			roots = append(roots, filepath.Join(folder, ".cache", "onnxruntime"))
			if folder == filepath.Dir(folder) {
				break
			}
		}
	}
	if folder, err := os.UserCacheDir(); err == nil {
		roots = append(roots, filepath.Join(folder, "rcfreeze", "onnxruntime"))
	}
	var folders []string
	for _, root := range roots {
		folders = append(folders, withUnpacked(root)...)
	}
	return folders
}

// withUnpacked returns root, and of each folder that a release unpacked into it the one with libraries.
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
