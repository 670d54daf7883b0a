package dataset

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestLimit opens data sets of every format with a limit: what is left are the samples of the whole data set that the table names, with
// their labels, pixels and names, and the classes are the same.
func TestLimit(t *testing.T) {
	sorted := func(t testing.TB, dir string) string { // five images of class 0, one of class 2, and three of class 1
		path := filepath.Join(dir, "set.npz")
		npz(t, path, map[string][]byte{"x_train": npy("|u1", "(9, 2, 2)", counting(0, 36)), "y_train": npy("|u1", "(9,)", []byte{0, 0, 0, 0, 0, 2, 1, 1, 1})})
		return path
	}
	mixed := func(t testing.TB, dir string) string { writeIDX(t, dir, 9, 2, 2); return dir }
	cifar := func(t testing.TB, dir string) string { writeCIFAR10(t, dir); return dir }
	folders := func(t testing.TB, dir string) string { writeFolder(t, dir); return dir } // one image of class 0, two of class 1, one of class 2
	flat := func(t testing.TB, dir string) string { writeFolder(t, dir); return filepath.Join(dir, "train") }
	shards := func(t testing.TB, dir string) string {
		writeShards(t, dir, map[string][]int{"train-0.tar": {0, 0, 0, 2}, "train-1.tar": {1, 1}})
		return dir
	}
	inOrder, inTurn := "the first (", "the first of each class ("
	for _, c := range []struct {
		name  string
		write func(t testing.TB, dir string) string
		split Split
		limit int
		kept  []int // nil if the limit leaves out none
		note  string
	}{
		{"idx", mixed, Train, 0, nil, ""},
		{"idx", mixed, Train, 1, []int{0}, "using 1 of the 9 train images: " + inOrder},
		{"idx", mixed, Train, 5, []int{0, 1, 2, 3, 4}, "using 5 of the 9 train images: " + inOrder},
		{"idx", mixed, Train, 8, []int{0, 1, 2, 3, 4, 5, 6, 7}, inOrder},
		{"idx", mixed, Train, 9, nil, ""},
		{"idx", mixed, Train, 10, nil, ""},
		{"cifar10", cifar, Train, 3, []int{0, 1, 2}, "using 3 of the 10 train images: " + inOrder}, // from two files
		{"cifar10", cifar, Test, 3, nil, ""},
		{"npz", sorted, Train, 1, []int{0}, inTurn},
		{"npz", sorted, Train, 2, []int{0, 5}, inTurn},
		{"npz", sorted, Train, 3, []int{0, 5, 6}, "using 3 of the 9 train images: " + inTurn},
		{"npz", sorted, Train, 4, []int{0, 1, 5, 6}, inTurn},
		{"npz", sorted, Train, 7, []int{0, 1, 2, 5, 6, 7, 8}, inTurn},
		{"npz", sorted, Train, 8, []int{0, 1, 2, 3, 5, 6, 7, 8}, inTurn},
		{"webdataset", shards, Train, 4, []int{0, 1, 3, 4}, "using 4 of the 6 train images: " + inTurn},
		{"imagefolder", folders, Train, 3, []int{0, 1, 3}, "using 3 of the 4 train images: " + inTurn},
		{"imagefolder", folders, Val, 1, []int{0}, "using 1 of the 2 val images: " + inTurn},
		{"imagefolder", flat, Train, 3, []int{0, 1, 3}, "using 3 of the 4 images: " + inTurn},
	} {
		t.Run(fmt.Sprintf("%s %d of %s", c.name, c.limit, c.split), func(t *testing.T) {
			path := c.write(t, t.TempDir())
			o := Options{Split: c.split, Shape: Shape{0, 3, 2}, Resize: true}
			whole := mustOpen(t, path, o)
			o.Limit = c.limit
			d := mustOpen(t, path, o)
			if c.kept == nil {
				for i := range whole.Len() {
					c.kept = append(c.kept, i)
				}
			}
			if d.Len() != len(c.kept) || d.Limit != c.limit || d.Format != c.name || !slices.Equal(d.Classes, whole.Classes) {
				t.Fatalf("%d samples of %d classes in format %s, limit %d; want %d of %d", d.Len(), len(d.Classes), d.Format, d.Limit, len(c.kept), len(whole.Classes))
			}
			want, got := make([]uint8, d.Shape.Size()), make([]uint8, d.Shape.Size())
			for i, from := range c.kept {
				if err := whole.Pixels(from, want); err != nil {
					t.Fatal(err)
				}
				if err := d.Pixels(i, got); err != nil || !slices.Equal(got, want) {
					t.Errorf("sample %d has the pixels %v (%v), want %v, those of sample %d", i, got, err, want, from)
				}
				if d.Name(i) != whole.Name(from) || d.Label(i) != whole.Label(from) {
					t.Errorf("sample %d is %s with label %d, want %s with %d", i, d.Name(i), d.Label(i), whole.Name(from), whole.Label(from))
				}
			}
			if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, c.note) || (c.note == "") != (len(d.Notes) == len(whole.Notes)) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// TestLimitFingerprint looks at fingerprints of limited data sets: they depend on the samples that are left, and on no others.
func TestLimitFingerprint(t *testing.T) {
	dir := t.TempDir()
	writeFolder(t, dir)
	writeIDX(t, filepath.Join(dir, "idx"), 9, 2, 2)
	images := filepath.Join(dir, "idx", "train-images-idx3-ubyte")
	fingerprint := func(path string, limit int) string {
		s, err := mustOpen(t, path, Options{Shape: Shape{0, 2, 2}, Limit: limit}).Fingerprint()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		path   string
		limit  int
		change func() // a sample that the limit leaves out
	}{
		{dir, 3, func() { write(t, filepath.Join(dir, "train/9/deep/c.png"), pngFile(t, plain(9, 9, blue))) }},
		{filepath.Dir(images), 8, func() {
			data, err := os.ReadFile(images)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-1]++
			write(t, images, data)
		}},
	} {
		whole, limited, less := fingerprint(c.path, 0), fingerprint(c.path, c.limit), fingerprint(c.path, c.limit-1)
		if whole == limited || limited == less {
			t.Errorf("%s: another limit gives the same fingerprint", c.path)
		}
		c.change()
		if fingerprint(c.path, 0) == whole {
			t.Errorf("%s: the fingerprint of the whole data set has not changed", c.path)
		}
		if fingerprint(c.path, c.limit) != limited {
			t.Errorf("%s: a sample that is left out changes the fingerprint", c.path)
		}
	}
}

// TestLimitChecksAll has a wrong label behind the limit: the data set is refused as without a limit.
func TestLimitChecksAll(t *testing.T) {
	dir := t.TempDir()
	writeIDX(t, dir, 3, 1, 1)
	if _, err := Open(dir, Options{Classes: 2, Limit: 2}); err == nil || !strings.Contains(err.Error(), "sample 2: label 2") {
		t.Errorf("error %v", err)
	}
	if _, err := Open(dir, Options{Limit: -1}); err == nil || !strings.Contains(err.Error(), "a limit of -1 images") {
		t.Errorf("a negative limit: error %v", err)
	}
}
