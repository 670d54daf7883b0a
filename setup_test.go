package rcfreeze_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestSetupIsKilled kills scripts/setup.sh at each program that it calls. After each kill, the library must be missing or
// complete. The next run must install it, and leave nothing else. Nothing is downloaded: a fake curl returns a fake library.
func TestSetupIsKilled(t *testing.T) {
	const release, library = "onnxruntime-linux-x64-1.24.3", "this is the library\n"
	root := t.TempDir()
	at := func(path ...string) string { return filepath.Join(append([]string{root}, path...)...) }
	script, err := os.ReadFile("scripts/setup.sh")
	err = errors.Join(err, os.MkdirAll(at("scripts"), 0o755), os.Mkdir(at("bin"), 0o755), os.MkdirAll(at(release, "lib"), 0o755),
		os.WriteFile(at("scripts", "setup.sh"), script, 0o755), os.WriteFile(at(release, "lib", "libonnxruntime.so.1.24.3"), []byte(library), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("tar", "-czf", at("release.tgz"), "-C", root, release).CombinedOutput(); err != nil {
		t.Fatal(err, string(out))
	}
	program := func(name, does string) {
		t.Helper()
		// each counts the calls, and kills the script at the one that KILL tells
		text := fmt.Sprintf("#!%s\necho %s >>'%s'\n[ \"$(wc -l <'%[3]s')\" != \"$KILL\" ] || { kill -9 \"$(<'%s')\"; exit 1; }\n%s\n",
			tool(t, "bash"), name, at("calls"), at("pid"), does)
		if err := os.WriteFile(at("bin", name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"mkdir", "mktemp", "rm", "mv", "tar", "sha256sum"} {
		program(name, fmt.Sprintf("exec %s \"$@\"", tool(t, name)))
	}
	program("curl", fmt.Sprintf("exec %s '%s' \"$3\"", tool(t, "cp"), at("release.tgz")))
	program("sync", ":")
	program("uname", "[ \"$1\" = -s ] && echo Linux || echo x86_64")
	for _, name := range []string{"bash", "dirname", "basename", "wc", "gzip"} { // these change nothing
		if err := os.Symlink(tool(t, name), at("bin", name)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(kill int) (calls []string, err error) {
		t.Helper()
		if err := os.RemoveAll(at("calls")); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command(tool(t, "bash"), "-c", "echo $$ >pid; exec bash scripts/setup.sh")
		cmd.Dir, cmd.Env = root, []string{"PATH=" + at("bin"), fmt.Sprint("KILL=", kill)}
		out, err := cmd.CombinedOutput()
		if err != nil && kill == 0 {
			t.Fatalf("%v: %s", err, out)
		}
		text, fault := os.ReadFile(at("calls"))
		if fault != nil {
			t.Fatal(fault)
		}
		return strings.Fields(string(text)), err
	}
	want := []string{"1.24.3.sha256", "libonnxruntime.so.1"}
	for kill := 1; ; kill++ {
		if err := os.RemoveAll(at(".cache")); err != nil {
			t.Fatal(err)
		}
		calls, err := run(kill)
		last := fmt.Sprintf("killed at call %d, of %s", kill, calls[len(calls)-1])
		if err == nil {
			if kill < 15 || !slices.Contains(calls, "sync") {
				t.Errorf("only the calls %q were seen", calls)
			}
			return
		}
		got, err := os.ReadFile(at(".cache", "onnxruntime", want[1]))
		if !errors.Is(err, fs.ErrNotExist) && (err != nil || string(got) != library) {
			t.Errorf("%s: the library is %q, %v", last, got, err)
		}
		run(0)
		var left []string
		entries, err := os.ReadDir(at(".cache", "onnxruntime"))
		for _, e := range entries {
			left = append(left, e.Name())
		}
		if err != nil || !slices.Equal(left, want) {
			t.Errorf("%s: the next run leaves %q, %v", last, left, err)
		}
		if got, err := os.ReadFile(at(".cache", "onnxruntime", want[1])); err != nil || !bytes.Equal(got, []byte(library)) {
			t.Errorf("%s: the next run leaves the library as %q, %v", last, got, err)
		}
	}
}

func tool(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("the scripts need ", err)
	}
	return path
}
