package dataset

import (
	"errors"
	"image/color"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestSplitNamed(t *testing.T) {
	for split, names := range map[Split]string{
		Train: "train Train TRAIN training Training_Set train2017 train-images TrainData trainset",
		Val:   "val Val valid VALID validation Validation_set val2017 dev Dev validation_images",
		Test:  "test Test TEST testing Testing test_set eval evaluation test-data",
		"":    "cat trains devil contest tested data set images 2017 tränen valley",
	} {
		for name := range strings.FieldsSeq(names) {
			if got := splitNamed(name); got != split {
				t.Errorf("%s is the split %q, want %q", name, got, split)
			}
		}
	}
}

// writeTree writes a plain image into each of the given folders.
func writeTree(t testing.TB, root string, folders ...string) {
	t.Helper()
	image := pngFile(t, plain(2, 2, color.White))
	for _, folder := range folders {
		write(t, filepath.Join(root, folder, "x.png"), image)
	}
}

// TestFolderSplits opens image folders with many names and sets of splits.
func TestFolderSplits(t *testing.T) {
	const missing = "" // in place of the split that opens
	tests := []struct {
		folders string
		opens   map[Split]Split // by what is asked for
		classes string
		note    string // of Train, or of Test without a Train
	}{
		{"train/a train/b val/a val/b", map[Split]Split{Train: Train, Val: Val, Test: Val}, "a b", ""},
		{"Train/a Train/b Val/a Val/b", map[Split]Split{Train: Train, Val: Val, Test: Val}, "a b", ""},
		{"TRAIN/a TRAIN/b TEST/a", map[Split]Split{Train: Train, Val: Test, Test: Test}, "a b", ""},
		{"Training/a Training/b Testing/a", map[Split]Split{Train: Train, Val: Test, Test: Test}, "a b", ""},
		{"train/a train/b valid/a valid/b test/b", map[Split]Split{Train: Train, Val: Val, Test: Test}, "a b", ""},
		{"training_set/a training_set/b dev/a test_set/b", map[Split]Split{Train: Train, Val: Val, Test: Test}, "a b", ""},
		{"train/a train/b validation/a", map[Split]Split{Train: Train, Val: Val, Test: Val}, "a b", ""},
		{"val/a test/b", map[Split]Split{Train: missing, Val: Val, Test: Test}, "a b", ""},
		{"val/a val/b", map[Split]Split{Train: missing, Val: Val, Test: Val}, "a b", "no test split: val takes its place"},
		{"train/a train/b", map[Split]Split{Train: Train, Val: missing, Test: missing}, "a b", ""},
		{"train/a train/b holdout/a holdout/b", map[Split]Split{Train: Train, Test: missing}, "a b", "passed over: holdout"},
		{"train/a train/b test holdout/a", map[Split]Split{Train: Train, Test: missing}, "a b", "passed over: holdout, test"},
		{"a b", map[Split]Split{Train: All, Val: All, Test: All}, "a b", ""},
		{"train ship", map[Split]Split{Train: All, Test: All}, "ship train", "train: taken as classes"},
		{"cat/near cat/far dog/near dog/far cat", map[Split]Split{Train: All}, "cat dog", ""},
		{"cat/images dog/images", map[Split]Split{Train: All}, "cat dog", ""},
		{"cat/near dog/far", map[Split]Split{Train: All}, "cat dog", ""},
		{"cat/near cat/far dog/old dog/young", map[Split]Split{Train: All}, "cat dog", ""},
	}
	for _, test := range tests {
		t.Run(test.folders, func(t *testing.T) {
			dir := t.TempDir()
			writeTree(t, dir, strings.Fields(test.folders)...)
			there := "train"
			if test.opens[Train] == missing {
				there = "val"
			}
			for _, asked := range slices.Sorted(maps.Keys(test.opens)) {
				d, err := Open(dir, Options{Split: asked, Shape: Shape{1, 2, 2}})
				want := test.opens[asked]
				if want == missing {
					if err == nil || !strings.Contains(err.Error(), "no "+string(asked)+" split") || !strings.Contains(err.Error(), "which has "+there) {
						t.Errorf("%s: error %v, want one that there is none", asked, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if d.Split != want || strings.Join(d.Classes, " ") != test.classes {
					t.Errorf("%s: opened %s with classes %v, want %s with %s", asked, d.Split, d.Classes, want, test.classes)
				}
				if asked != Train && (asked != Test || test.opens[Train] != missing) {
					continue
				}
				if notes := strings.Join(d.Notes, "\n"); !strings.Contains(notes, test.note) || test.note == "" && asked == Train && notes != "" {
					t.Errorf("%s: notes %q, want %q", asked, notes, test.note)
				}
			}
		})
	}
}

// TestFolderSplitsRefused opens image folders that must not be taken for something else.
func TestFolderSplitsRefused(t *testing.T) {
	for folders, want := range map[string]string{
		"part1/a part1/b part2/a part2/b":   "part1, part2 contain the same folders, a, b",
		"train test":                        "test, train: these are named like splits, but have no class folders",
		"train":                             filepath.Join("DIR", "train", "CLASS"),
		"train/a train/b Training/a":        "both the train split",
		"train/a train/b val/a valid/b":     "both the val split",
		"train/cat val/cat":                 "the only class is cat",
		"images/cat images/dog":             "give " + filepath.Join("DIR", "images") + " as the data set",
		"train/a train/b val/a val/b val/z": "classes that the training split",
	} {
		dir := t.TempDir()
		writeTree(t, dir, strings.Fields(folders)...)
		_, err := Open(dir, Options{Split: Val, Shape: Shape{1, 2, 2}})
		if err == nil || !strings.Contains(strings.ReplaceAll(err.Error(), dir, "DIR"), want) {
			t.Errorf("%s: error %v, want %q in it", folders, err, want)
		}
	}
}

// TestOneClass opens image folders of one class: the folder in it is named as the data set where that can be one.
func TestOneClass(t *testing.T) {
	for folders, want := range map[string]bool{"images/cat images/dog": true, "images/cat": false, "images": false} {
		dir := t.TempDir()
		writeTree(t, dir, strings.Fields(folders)...)
		_, err := Open(dir, Options{Shape: Shape{1, 2, 2}})
		if err == nil || !strings.Contains(err.Error(), "the only class is images") || strings.Contains(err.Error(), "as the data set") != want {
			t.Errorf("%s: error %v, want advice: %v", folders, err, want)
		}
	}
}

func TestNPZSplits(t *testing.T) {
	images, labels := npy("|u1", "(2, 1, 1)", []byte{0, 9}), npy("|u1", "(2,)", []byte{0, 1})
	tests := []struct {
		arrays string
		opens  map[Split]Split
	}{
		{"x_train y_train x_test y_test", map[Split]Split{Train: Train, Val: Test, Test: Test}},
		{"X_train Y_train X_valid Y_valid", map[Split]Split{Train: Train, Val: Val, Test: Val}},
		{"train_images train_labels val_images val_labels test_images test_labels", map[Split]Split{Train: Train, Val: Val, Test: Test}},
		{"images labels", map[Split]Split{Train: All, Val: All, Test: All}},
	}
	for _, test := range tests {
		arrays := map[string][]byte{}
		for i, name := range strings.Fields(test.arrays) {
			arrays[name] = [][]byte{images, labels}[i%2]
		}
		path := filepath.Join(t.TempDir(), "set.npz")
		npz(t, path, arrays)
		for asked, want := range test.opens {
			d := mustOpen(t, path, Options{Split: asked})
			if d.Split != want {
				t.Errorf("%s: %s opened %s, want %s", test.arrays, asked, d.Split, want)
			}
			if isSaid := len(d.Notes) > 0; isSaid != (asked == Test && want == Val) {
				t.Errorf("%s: %s opened %s with the notes %q", test.arrays, asked, d.Split, d.Notes)
			}
		}
	}
}

// TestMatchNames opens data sets for models that name their classes, or do not.
func TestMatchNames(t *testing.T) {
	root := t.TempDir()
	writeTree(t, filepath.Join(root, "pets"), "ape", "bee", "cat")
	writeTree(t, filepath.Join(root, "numbers"), "0", "1", "10", "2")
	writeIDX(t, filepath.Join(root, "digits"), 3, 1, 1)
	tests := []struct {
		name, data string
		classes    int
		names      string // of the model's classes
		labels     []int64
		note, err  string
	}{
		{"same order", "pets", 3, "ape bee cat", []int64{0, 1, 2}, "", ""},
		{"other order", "pets", 3, "cat ape bee", []int64{1, 2, 0}, "another order", ""},
		{"subset", "pets", 5, "dog cat ape emu bee", []int64{2, 4, 1}, "3 classes are matched by name to the 5", ""},
		{"subset, outputs not known", "pets", 0, "dog cat ape emu bee", []int64{2, 4, 1}, "3 classes are matched by name to the 5", ""},
		{"renamed", "pets", 3, "ape bee Cat", nil, "", "1 of the data set's 3 classes are not among those that the model names: cat; classes that only the model has: Cat"},
		{"one that the model does not have", "pets", 2, "ape bee", nil, "", "are not among those that the model names: cat\nif the model knows these classes by other names, list its 2 class names"},
		{"doubled", "pets", 4, "ape bee cat bee", nil, "", "same name as one of the data set: bee"},
		{"a double that is not there", "pets", 5, "ape bee cat emu emu", []int64{0, 1, 2}, "matched by name", ""},
		{"names of another model", "pets", 4, "ape bee cat", nil, "", "has 4 classes, but there are 3 class names"},
		{"no names", "pets", 3, "", []int64{0, 1, 2}, "in the order of the folders: ape, bee, cat", ""},
		{"no names, outputs not known", "pets", 0, "", []int64{0, 1, 2}, "", ""},
		{"no names, more classes", "pets", 5, "", nil, "", "--classes FILE"},
		{"no names, fewer classes", "pets", 2, "", nil, "", "--num-classes 3"},
		{"numbers for names", "pets", 3, "0 1 2", []int64{0, 1, 2}, "in the order of the folders", ""},
		{"folders of numbers", "numbers", 11, "0 1 2 3 4 5 6 7 8 9 10", []int64{0, 1, 10, 2}, "4 classes are matched by name to the 11", ""},
		{"data without names", "digits", 3, "c b a", []int64{0, 1, 2}, "", ""},
		{"data without names, a class too many", "digits", 2, "b a", nil, "", "--num-classes 3"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			var names []string
			if test.names != "" {
				names = strings.Fields(test.names)
			}
			d, err := Open(filepath.Join(root, test.data), Options{Shape: Shape{1, 1, 1}, Classes: test.classes, ClassNames: names})
			if test.err != "" {
				if err == nil || !strings.Contains(err.Error(), test.err) {
					t.Fatalf("error %v, want %q in it", err, test.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(d.labels, test.labels) {
				t.Errorf("labels %v, want %v", d.labels, test.labels)
			}
			if names != nil && !isNumbered(names) && !slices.Equal(d.Classes, names) {
				t.Errorf("classes %v, want those of the model", d.Classes)
			}
			if notes := strings.Join(d.Notes, "\n"); (test.note == "") != (notes == "") || !strings.Contains(notes, test.note) {
				t.Errorf("notes %q, want %q", notes, test.note)
			}
			if here := d.ClassesHere(); here != len(test.labels) {
				t.Errorf("%d classes have images, want %d", here, len(test.labels))
			}
		})
	}
}

// TestLabelList looks at how samples with wrong labels are listed: all of a few, the first of many and how many there are.
func TestLabelList(t *testing.T) {
	for bad, want := range map[int]int{1: 1, 5: 5, 6: 5, 12: 5} {
		d := numbered(20, Shape{1, 1, 1})
		d.Classes = d.Classes[:20-bad]
		err := d.checkLabels()
		if err == nil {
			t.Errorf("%d labels outside the classes: no error", bad)
			continue
		}
		listed, more := strings.Count(err.Error(), "\n  number "), strings.HasSuffix(err.Error(), "\n  …")
		if listed != want || more != (bad > want) || !strings.Contains(err.Error(), strconv.Itoa(bad)+" of 20 samples") {
			t.Errorf("%d labels outside the classes: %v", bad, err)
		}
	}
}

// TestAnyClasses opens what is no set for a classifier, for a use that needs no labels.
func TestAnyClasses(t *testing.T) {
	dir := t.TempDir()
	writeTree(t, dir, "cat")
	d := mustOpen(t, dir, Options{Shape: Shape{1, 1, 1}, AnyClasses: true, Classes: 7, ClassNames: []string{"x", "y"}})
	if d.Len() != 1 || len(d.Notes) != 0 {
		t.Errorf("%d images, notes %q", d.Len(), d.Notes)
	}
}

// TestLabelAdvice looks at the advice for labels outside the classes, which must work when followed.
func TestLabelAdvice(t *testing.T) {
	for labels, want := range map[string]string{"\x00\x05": "--num-classes 6", "\x01\x02": "--num-classes 3", "\xff\x00": "", "\xff\x05": ""} {
		path := filepath.Join(t.TempDir(), "set.npz")
		npz(t, path, map[string][]byte{"images": npy("|u1", "(2, 1, 1)", []byte{0, 9}), "labels": npy("|i1", "(2,)", []byte(labels))})
		_, err := Open(path, Options{Classes: 2})
		if err == nil || strings.Contains(err.Error(), "--num-classes") != (want != "") || !strings.Contains(err.Error(), want) {
			t.Errorf("labels %q: error %v, want advice %q", labels, err, want)
		}
	}
}

func TestReadClassNames(t *testing.T) {
	for text, want := range map[string]string{
		"cat\ndog\n":               "cat|dog",
		"\ufeffcat\r\nbig dog\r\n": "cat|big dog",
		` ["cat", "dog"] `:         "cat|dog",
	} {
		path := filepath.Join(t.TempDir(), "names")
		write(t, path, []byte(text))
		if got, err := ReadClassNames(path); err != nil || strings.Join(got, "|") != want {
			t.Errorf("%q gives %q (%v), want %q", text, got, err, want)
		}
	}
	for text, want := range map[string]string{
		"":                                      "class 0 has no name",
		"cat":                                   "at least 2",
		"cat\n\ndog":                            "class 1 has no name",
		"{\n\"0\": \"cat\",\n\"1\": \"dog\"\n}": "JSON list of strings",
		`["cat", 1]`:                            "JSON list of strings",
		`["cat", "dog"`:                         "JSON list of strings",
		`["cat", "", ""]`:                       "class 1 has no name, nor have 1 more",
	} {
		path := filepath.Join(t.TempDir(), "names")
		write(t, path, []byte(text))
		if _, err := ReadClassNames(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%q: error %v, want %q and the path in it", text, err, want)
		}
	}
	if _, err := ReadClassNames(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: error %v", err)
	}
}

// TestLinkedFolders opens image folders whose splits or classes are links to folders elsewhere.
func TestLinkedFolders(t *testing.T) {
	elsewhere := t.TempDir()
	writeTree(t, elsewhere, "a", "b")
	for _, link := range []string{"val", "a", "val/a"} {
		dir := t.TempDir()
		writeTree(t, dir, map[string][]string{"val": {"train/a", "train/b"}, "a": {"b"}, "val/a": {"val/b"}}[link]...)
		target := elsewhere
		if filepath.Base(link) == "a" {
			target = filepath.Join(elsewhere, "a")
		}
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip("needs links: ", err)
		}
		d, err := Open(dir, Options{Split: Val, Shape: Shape{1, 2, 2}})
		if err != nil || d.Len() != 2 || len(d.Classes) != 2 {
			t.Errorf("%s is a link: %+v, error %v", link, d, err)
		}
	}
	dir := t.TempDir()
	for _, class := range []string{"a", "b"} {
		if err := os.Symlink(filepath.Join(elsewhere, class), filepath.Join(dir, class)); err != nil {
			t.Skip("needs links: ", err)
		}
	}
	if d, err := Open(dir, Options{Shape: Shape{1, 2, 2}}); err != nil || d.Len() != 2 {
		t.Errorf("all classes are links: %+v, error %v", d, err)
	}
}
