package lock

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/gofrs/flock"
)

// inChild names the folder that the test's own program is to lock when it runs as another process.
const inChild = "RCFREEZE_TEST_LOCK"

func TestMain(m *testing.M) {
	if folder := os.Getenv(inChild); folder != "" {
		l, err := Folder(folder)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		defer runtime.KeepAlive(l)
		fmt.Println("locked")
		bufio.NewReader(os.Stdin).ReadString('\n') // until the test kills it
	}
	os.Exit(m.Run())
}

// hold has another process lock a folder, until kill is called.
func hold(t *testing.T, folder string) (pid int, kill func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), inChild+"="+folder)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "locked\n" {
		t.Fatalf("the other process says %q (%v)", line, err)
	}
	return cmd.Process.Pid, func() {
		cmd.Process.Kill()
		cmd.Wait()
	}
}

// TestOtherProcess locks a folder that another process holds, which is refused with its number, until that process dies: what it
// leaves behind locks nobody out.
func TestOtherProcess(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "a", "b")
	pid, kill := hold(t, folder)
	_, err := Folder(folder)
	for _, want := range []string{fmt.Sprintf("process %d ", pid), "is at work in " + folder, "choose another folder"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got error %v, want one with %q", err, want)
		}
	}
	kill()
	if _, err := os.Stat(filepath.Join(folder, Name)); err != nil {
		t.Fatalf("this tests nothing: %v", err)
	}
	l, err := Folder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(filepath.Join(folder, Name)); err != nil || !strings.HasPrefix(string(text), fmt.Sprintf("process %d on ", os.Getpid())) {
		t.Errorf("the file says %q (%v)", text, err)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	_, kill = hold(t, folder) // it is free again
	kill()
}

// TestRelease checks what is left of a folder when its lock is released.
func TestRelease(t *testing.T) {
	for _, c := range []struct {
		name         string
		there, filed bool // the folder is there before, a file is put into it
		left         bool // the folder, afterwards
	}{
		{"made for nothing", false, false, false},
		{"made for a file", false, true, true},
		{"there before", true, false, true},
		{"there before, and a file", true, true, true},
	} {
		folder := filepath.Join(t.TempDir(), "run")
		if c.there {
			if err := os.Mkdir(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, Name), []byte("process 1"), 0o644); err != nil { // of one that died
				t.Fatal(err)
			}
		}
		l, err := Folder(folder)
		if err != nil {
			t.Fatal(err)
		}
		if c.filed {
			if err := os.WriteFile(filepath.Join(folder, "file"), nil, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if err := l.Release(); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		if _, err := os.Stat(folder); (err == nil) != c.left {
			t.Errorf("%s: the folder is left: %v", c.name, err == nil)
		}
		if _, err := os.Stat(filepath.Join(folder, Name)); err == nil {
			t.Errorf("%s: the lock's file is left", c.name)
		}
	}
}

// TestRemovedMeanwhile takes the lock's file away from its holder, as someone who cleans up does: another process then may lock
// the folder, and what the first releases is not the lock of the other.
func TestRemovedMeanwhile(t *testing.T) {
	folder := t.TempDir()
	l, err := Folder(folder)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(folder, Name)); err != nil {
		t.Fatal(err)
	}
	_, kill := hold(t, folder)
	defer kill()
	if err := l.Release(); err != nil {
		t.Error(err)
	}
	if _, err := Folder(folder); err == nil {
		t.Error("the lock of the other process was removed")
	}
}

// TestNoLocks works on a file system that has no locks: the folder can be used, with a warning.
func TestNoLocks(t *testing.T) {
	try = func(*flock.Flock) (bool, error) { return false, syscall.ENOLCK }
	defer func() { try = (*flock.Flock).TryLock }()
	folder := filepath.Join(t.TempDir(), "run")
	l, err := Folder(folder)
	if err != nil || !strings.Contains(l.Warning, folder) || strings.Contains(l.Warning, "\n") {
		t.Fatalf("got %+v, %v", l, err)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("in the folder are %v (%v)", entries, err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// TestNoFolder asks for a lock where there cannot be a folder.
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Folder(file); err == nil || !strings.Contains(err.Error(), file) {
		t.Errorf("got error %v", err)
	}
}
