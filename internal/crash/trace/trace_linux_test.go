//go:build amd64 || arm64

package trace

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/peer"
)

// subject is the variable that makes this program the one to watch: it names the folder to work in.
const subject = "RCFREEZE_CRASH_SUBJECT"

func TestMain(m *testing.M) {
	RunChildIfAsked()
	if folder := os.Getenv(subject); folder != "" {
		if err := work(folder); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// The writes of work: one byte each, first in one thread, then in several at once.
const (
	inOne   = 3
	threads = 4
	each    = 50
)

// work changes files in known ways below the folder, and in a folder beside it, which is not watched.
func work(folder string) error {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt)
	inner := filepath.Join(folder, "inner")
	if err := os.Mkdir(inner, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(folder+".beside", []byte("not watched"), 0o644); err != nil {
		return err
	}
	a, b := filepath.Join(inner, "a"), filepath.Join(inner, "b")
	if err := fill(a, inOne); err != nil {
		return err
	}
	if err := os.Rename(a, b); err != nil {
		return err
	}
	var all sync.WaitGroup
	faults := make([]error, threads)
	for i := range threads {
		all.Go(func() {
			runtime.LockOSThread()
			faults[i] = fill(filepath.Join(folder, fmt.Sprint("thread", i)), each)
		})
	}
	all.Wait()
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if out, err := exec.Command("sh", "-c", "cd "+folder+" && echo child > child").CombinedOutput(); err != nil {
		return fmt.Errorf("%w: %s", err, out)
	}
	if err := os.Remove(b); err != nil {
		return err
	}
	if err := os.Remove(inner); err != nil {
		return err
	}
	select {
	case <-stop:
		return errors.New("interrupted")
	default:
		return nil
	}
}

// fill writes a file byte by byte.
func fill(path string, bytes int) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	for range bytes {
		if _, err := f.Write([]byte{'x'}); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(f.Sync(), f.Close())
}

// run watches work, and returns its folder, what it said, and what became of it.
func run(t *testing.T, inject *Injection) (folder, said string, o *Outcome) {
	t.Helper()
	folder, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	folder = filepath.Join(folder, "watched")
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	talk, err := os.Create(folder + ".stderr")
	if err != nil {
		t.Fatal(err)
	}
	defer talk.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	p := Program{Args: []string{self}, Dir: folder, Env: append(os.Environ(), subject+"="+folder), Stderr: talk, Watch: []string{folder}}
	if o, err = p.Run(inject); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(talk.Name())
	if err != nil {
		t.Fatal(err)
	}
	return folder, string(text), o
}

func TestCallsAreCounted(t *testing.T) {
	peer.All(t) // the kernel must permit ptrace
	folder, said, o := run(t, nil)
	if o.Code != 0 || o.Injected {
		t.Fatalf("exit code %d, injected %v: %s", o.Code, o.Injected, said)
	}
	counts := map[string]int{}
	for i, c := range o.Calls {
		counts[c.Name]++
		if c.Number != counts[c.Name] {
			t.Errorf("call %d is %v, but there were %d of that name", i, c, counts[c.Name])
		}
		if !strings.HasPrefix(c.Path, folder) || c.Failed() && c.Name != "unlink" {
			t.Errorf("call %d: %v", i, c)
		}
	}
	files := 1 + threads
	// Go removes a folder by trying to remove it as a file first; the shell opens its file, moves the descriptor, and writes once.
	want := map[string]int{"mkdir": 1, "openat": files + 1, "write": inOne + threads*each + 1, "fsync": files, "close": files + 1, "rename": 1, "unlink": 2, "rmdir": 1}
	if counts["close"] == want["close"]+1 { // some shells close both descriptors
		want["close"]++
	}
	if fmt.Sprint(counts) != fmt.Sprint(want) {
		t.Errorf("saw %v, want %v", counts, want)
	}
	var first []string
	for _, c := range o.Calls[:8] {
		first = append(first, strings.ReplaceAll(c.String(), folder, "."))
	}
	if want := []string{"mkdir #1 ./inner", "openat #1 ./inner/a", "write #1 ./inner/a", "write #2 ./inner/a", "write #3 ./inner/a",
		"fsync #1 ./inner/a", "close #1 ./inner/a", "rename #1 ./inner/a to ./inner/b"}; !slices.Equal(first, want) {
		t.Errorf("the first calls are %q, want %q", first, want)
	}
}

func TestCallsFail(t *testing.T) {
	peer.All(t)
	for _, c := range []struct {
		call   string
		number int
		errno  syscall.Errno
	}{
		{"mkdir", 1, syscall.ENOSPC}, {"openat", 1, syscall.EIO}, {"write", 2, syscall.ENOSPC}, {"write", inOne + threads*each, syscall.EIO},
		{"fsync", 1, syscall.EIO}, {"close", 1, syscall.EIO}, {"rename", 1, syscall.ENOSPC}, {"unlink", 1, syscall.EROFS},
	} {
		folder, said, o := run(t, &Injection{Kind: Fail, Call: c.call, Number: c.number, Errno: c.errno})
		if o.Code != 1 || !o.Injected || !strings.Contains(said, c.errno.Error()) {
			t.Errorf("%s #%d: exit code %d, injected %v: %s", c.call, c.number, o.Code, o.Injected, said)
		}
		if c.call == "write" && c.number == 2 {
			if data, err := os.ReadFile(filepath.Join(folder, "inner", "a")); err != nil || len(data) != 1 {
				t.Errorf("write #2 failed, and the file has %q: %v", data, err)
			}
		}
	}
}

func TestKills(t *testing.T) {
	peer.All(t)
	for number := 1; number <= inOne; number++ {
		for kind, bytes := range map[Kind]int{KillBefore: number - 1, KillAfter: number} {
			folder, said, o := run(t, &Injection{Kind: kind, Call: "write", Number: number})
			if o.Signal != syscall.SIGKILL || !o.Injected {
				t.Errorf("%s write #%d: exit code %d, signal %v, injected %v: %s", kind, number, o.Code, o.Signal, o.Injected, said)
			}
			if data, err := os.ReadFile(filepath.Join(folder, "inner", "a")); err != nil || len(data) != bytes {
				t.Errorf("%s write #%d: the file has %q, want %d bytes: %v", kind, number, data, bytes, err)
			}
		}
	}
	// The one in the middle of many threads, and in a child process, which must end, too.
	for _, number := range []int{inOne + threads*each/2, inOne + threads*each + 1} {
		if _, said, o := run(t, &Injection{Kind: KillAfter, Call: "write", Number: number}); o.Signal != syscall.SIGKILL {
			t.Errorf("write #%d: exit code %d, signal %v: %s", number, o.Code, o.Signal, said)
		}
	}
}

func TestInterrupts(t *testing.T) {
	peer.All(t)
	if _, said, o := run(t, &Injection{Kind: Interrupt, Call: "write", Number: 2}); o.Code != 1 || !strings.Contains(said, "interrupted") {
		t.Errorf("exit code %d, signal %v: %s", o.Code, o.Signal, said)
	}
}

// TestManyAtOnce runs programs side by side: each sees its own calls.
func TestManyAtOnce(t *testing.T) {
	peer.All(t)
	for i := range 4 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			t.Parallel()
			if _, said, o := run(t, &Injection{Kind: Fail, Call: "write", Number: 2, Errno: syscall.ENOSPC}); o.Code != 1 {
				t.Errorf("exit code %d: %s", o.Code, said)
			}
		})
	}
}
