package train

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

func newCheckpoint() *checkpoint {
	return &checkpoint{
		Recipe: PaperRecipe(), Source: Source{Model: "12ab", Images: 70}, Position: position{Epoch: 2, Step: 3, LossSum: 1.0 / 3, Correct: 20, Samples: 48},
		History: []Row{{Epoch: 1, TrainLoss: 0.7}, {Epoch: 2, TrainLoss: 2e-300}},
		states: map[string]*onnxgraph.Tensor{
			"step.parameters": onnxgraph.NewTensor([]int64{3}, []float32{1, -2, 0.3}),
			"step.momentum":   onnxgraph.NewTensor([]int64{3}, []float32{4, 5, 6e-40}),
		},
	}
}

// equal compares checkpoints, state vectors byte by byte.
func equal(t *testing.T, a, b *checkpoint) bool {
	t.Helper()
	x, y := *a, *b
	x.states, y.states = nil, nil
	if len(a.states) != len(b.states) || !reflect.DeepEqual(x, y) {
		return false
	}
	for name, state := range a.states {
		if b.states[name] == nil {
			return false
		}
		was, err := state.Raw()
		if err != nil {
			t.Fatal(err)
		}
		is, err := b.states[name].Raw()
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(was, is) {
			return false
		}
	}
	return true
}

func TestCheckpoint(t *testing.T) {
	want := newCheckpoint()
	path := filepath.Join(t.TempDir(), "last.ckpt")
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	got, err := loadCheckpoint(path)
	if err != nil {
		t.Fatal(err)
	}
	if !equal(t, got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestDamagedCheckpoint changes a bit of every byte of a checkpoint, cuts it short at every length, and changes it as a whole: each is
// noticed, both by a reader of all and by a reader of the description alone.
func TestDamagedCheckpoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "last.ckpt")
	want := newCheckpoint()
	if err := want.save(path); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	try := func(what string, at int, data []byte) {
		t.Helper()
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		for _, read := range []func(string) (*checkpoint, error){loadCheckpoint, describeCheckpoint} {
			if c, err := read(path); c != nil || !errors.Is(err, errDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s at %d: read %v, error %v", what, at, c, err)
			}
		}
	}
	for i := range whole {
		data := bytes.Clone(whole)
		data[i] ^= 1 << (i % 8)
		try("a flipped bit", i, data)
		try("the end", i, whole[:i])
	}
	seal := len(whole) - sealSize
	try("a byte more", len(whole), append(bytes.Clone(whole), '0'))
	try("zeros", 0, make([]byte, len(whole)))
	try("a block of zeros", 100, slices.Concat(whole[:100], make([]byte, 50), whole[150:]))
	try("the end of another", 0, slices.Concat(whole[:seal], []byte(strings.Repeat("0", sealSize))))
	try("a part twice", 100, slices.Concat(whole[:100], whole[50:]))
	try("capital digits", seal, slices.Concat(whole[:seal], bytes.ToUpper(whole[seal:])))

	// as a version without checksums wrote it
	var old bytes.Buffer
	z := zip.NewWriter(&old)
	f, err := z.Create(descriptionFile)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write([]byte("{}")); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	for what, data := range map[string][]byte{"no checksum": old.Bytes(), "a byte less": whole[:len(whole)-1]} {
		try(what, 0, data)
		if _, err := loadCheckpoint(path); err == nil || !strings.Contains(err.Error(), "no checksum at its end") {
			t.Errorf("%s: got error %v", what, err)
		}
	}
}

// full is a disk with room for so many bytes.
type full struct{ left int }

var errFull = errors.New("the disk is full")

func (f *full) Write(p []byte) (int, error) {
	if len(p) > f.left {
		return 0, errFull
	}
	f.left -= len(p)
	return len(p), nil
}

// TestFullDisk writes a checkpoint to disks with too little room, by any number of bytes.
func TestFullDisk(t *testing.T) {
	c := newCheckpoint()
	c.states = map[string]*onnxgraph.Tensor{"step.parameters": c.states["step.parameters"]} // one order of files
	var whole bytes.Buffer
	if err := c.write(&whole); err != nil {
		t.Fatal(err)
	}
	for room := range whole.Len() + 1 {
		if err := c.write(&full{room}); (err != nil) != (room < whole.Len()) || err != nil && !errors.Is(err, errFull) {
			t.Fatalf("room for %d of %d bytes: got error %v", room, whole.Len(), err)
		}
	}
}

// TestUnwritable has checkpoints of which something cannot be written: an error, and no file.
func TestUnwritable(t *testing.T) {
	for name, spoil := range map[string]func(c *checkpoint){
		"a number that is none": func(c *checkpoint) { c.Position.LossSum = math.NaN() },
		"a state that is lost": func(c *checkpoint) {
			c.states["lost"] = onnxgraph.NewLazyTensor(onnxgraph.Float32, []int64{1}, func() (*onnxgraph.Tensor, error) { return nil, errFull })
		},
	} {
		c, f := newCheckpoint(), Folder(t.TempDir())
		if err := c.save(f.last()); err != nil {
			t.Fatal(err)
		}
		spoil(c)
		for _, err := range []error{c.save(f.best()), f.saveLast(c, true)} {
			if err == nil || !strings.Contains(err.Error(), "writing checkpoint "+string(f)) {
				t.Errorf("%s: got error %v", name, err)
			}
		}
		if _, err := loadCheckpoint(f.last()); err != nil {
			t.Errorf("%s: the last checkpoint is spoiled: %v", name, err)
		}
		if entries, err := os.ReadDir(string(f)); err != nil || len(entries) != 1 {
			t.Errorf("%s: files in the folder: %v (%v)", name, entries, err)
		}
	}
}

// TestBest tells the best epoch of histories: the first of those that are equally good, 0 for the start.
func TestBest(t *testing.T) {
	for _, c := range []struct {
		start   float64
		history []float64
		top1    float64
		epoch   int
	}{
		{0.5, nil, 0.5, 0}, {0.5, []float64{0.4, 0.5}, 0.5, 0}, {0.5, []float64{0.6, 0.7, 0.7, 0.6}, 0.7, 2}, {0, []float64{0}, 0, 0}, {0.1, []float64{0.3, 0.2}, 0.3, 1},
	} {
		run := &checkpoint{}
		run.Start.Top1 = c.start
		for i, top1 := range c.history {
			run.History = append(run.History, Row{Epoch: i + 1, TestTop1: top1})
		}
		if top1, epoch := run.best(); top1 != c.top1 || epoch != c.epoch {
			t.Errorf("%v: got %v after epoch %d, want %v after %d", c, top1, epoch, c.top1, c.epoch)
		}
	}
}

// TestCheck asks whether runs may start in folders: asking leaves nothing there, and holds nobody up.
func TestCheck(t *testing.T) {
	empty, missing, work := t.TempDir(), filepath.Join(t.TempDir(), "missing"), t.TempDir()
	if err := newCheckpoint().save(Folder(work).last()); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		folder  string
		resume  bool
		refused bool
		files   int
	}{{empty, false, false, 0}, {empty, true, false, 0}, {missing, false, false, -1}, {missing, true, false, -1}, {work, true, false, 1}, {work, false, true, 1}} {
		for range 2 {
			if err := Folder(c.folder).Check(c.resume); (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), "holds a run") {
				t.Errorf("%+v: got error %v", c, err)
			}
			entries, err := os.ReadDir(c.folder)
			if files := len(entries); err == nil && files != c.files || err != nil && c.files >= 0 {
				t.Errorf("%+v: %d files are there, %v", c, files, err)
			}
		}
	}
}

// TestSeal writes in pieces of all sizes: what comes out is what went in, but for the seal.
func TestSeal(t *testing.T) {
	data := make([]byte, 3*sealSize)
	for i := range data {
		data[i] = byte(i * 7)
	}
	for size := 1; size <= len(data); size++ {
		var out bytes.Buffer
		s := newSealer(&out)
		for piece := range slices.Chunk(data, size) {
			if n, err := s.Write(piece); n != len(piece) || err != nil {
				t.Fatal(n, err)
			}
		}
		if err := s.seal(); err != nil {
			t.Fatal(err)
		}
		end := len(data) - sealSize
		if want := fmt.Sprintf("%x", sha256.Sum256(data[:end])); !bytes.Equal(out.Bytes()[:end], data[:end]) || string(out.Bytes()[end:]) != want {
			t.Errorf("pieces of %d: got %d bytes that end with %s", size, out.Len(), out.Bytes()[end:])
		}
	}
}

// TestNewest makes folders as kills and damages leave them, and checks which checkpoint a run goes on from.
func TestNewest(t *testing.T) {
	const (
		none    = iota // the file is missing
		whole          // as it was written
		damaged        // one bit is another
	)
	for _, c := range []struct {
		last, previous, best int
		want                 string   // the file that is chosen, "" for none
		faults               []string // the files that are complained about
	}{
		{whole, whole, whole, "last.ckpt", nil},
		{whole, none, none, "last.ckpt", nil},
		{whole, damaged, damaged, "last.ckpt", nil},
		{damaged, whole, whole, "previous.ckpt", []string{"last.ckpt"}},
		{none, whole, whole, "previous.ckpt", []string{"last.ckpt"}}, // killed between two renames
		{damaged, none, whole, "best.ckpt", []string{"last.ckpt"}},
		{none, none, whole, "best.ckpt", []string{"last.ckpt"}}, // killed behind the first file
		{damaged, damaged, whole, "best.ckpt", []string{"last.ckpt", "previous.ckpt"}},
		{damaged, damaged, damaged, "", []string{"last.ckpt", "previous.ckpt", "best.ckpt"}},
		{damaged, none, none, "", []string{"last.ckpt"}},
	} {
		f := Folder(t.TempDir())
		for path, state := range map[string]int{f.last(): c.last, f.previous(): c.previous, f.best(): c.best} {
			if state == none {
				continue
			}
			if err := newCheckpoint().save(path); err != nil {
				t.Fatal(err)
			}
			if state == damaged {
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				data[len(data)/2] ^= 1
				if err := os.WriteFile(path, data, 0o644); err != nil {
					t.Fatal(err)
				}
			}
		}
		got, path, faults := f.newest()
		if (got != nil) != (c.want != "") || got != nil && filepath.Base(path) != c.want {
			t.Errorf("%+v: goes on from %s", c, path)
		}
		for _, name := range []string{"last.ckpt", "previous.ckpt", "best.ckpt"} {
			if said := faults != nil && strings.Contains(faults.Error(), name); said != slices.Contains(c.faults, name) {
				t.Errorf("%+v: said %v", c, faults)
			}
		}
		if !f.HasRun() || !f.HasWork() {
			t.Errorf("%+v: holds a run: %v, with work: %v", c, f.HasRun(), f.HasWork())
		}
	}
}

// TestSaveLast saves checkpoints over whole and over damaged ones: a damaged one never takes the place of a whole one, and no two
// files share bytes on the disk.
func TestSaveLast(t *testing.T) {
	f := Folder(t.TempDir())
	epoch := func(path string) int {
		c, err := loadCheckpoint(path)
		if err != nil {
			return -1
		}
		return c.Position.Epoch
	}
	save := func(n int, whole bool) {
		t.Helper()
		c := newCheckpoint()
		c.Position.Epoch = n
		if err := f.saveLast(c, whole); err != nil {
			t.Fatal(err)
		}
	}
	for n, c := range []struct {
		damaged        bool // the last checkpoint, before the next one is saved
		last, previous int  // epochs afterwards
	}{{false, 0, -1}, {false, 1, 0}, {false, 2, 1}, {true, 3, 1}, {false, 4, 3}} {
		if c.damaged {
			if err := os.Truncate(f.last(), 200); err != nil {
				t.Fatal(err)
			}
		}
		save(n, n > 0 && !c.damaged)
		if epoch(f.last()) != c.last || epoch(f.previous()) != c.previous {
			t.Errorf("after saving %d: the last checkpoint is of epoch %d, the previous of %d; want %d, %d", n, epoch(f.last()), epoch(f.previous()), c.last, c.previous)
		}
	}
	entries, err := os.ReadDir(string(f))
	if err != nil || len(entries) != 2 {
		t.Errorf("files in the folder: %v (%v)", entries, err)
	}
	last, err := os.Stat(f.last())
	previous, err2 := os.Stat(f.previous())
	if err != nil || err2 != nil || os.SameFile(last, previous) {
		t.Errorf("the last and the previous checkpoint are one file (%v, %v)", err, err2)
	}
}
