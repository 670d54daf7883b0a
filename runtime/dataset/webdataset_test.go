package dataset

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// tarEntry returns an entry of a tar file as POSIX describes it (ustar): a header, and the data, filled up to whole blocks.
func tarEntry(kind byte, name string, data []byte) []byte {
	entry := append(tarHeader(kind, name, fmt.Sprintf("%011o", len(data))), data...)
	return append(entry, make([]byte, -len(entry)&511)...)
}

// tarHeader returns a header with the given text for the size.
func tarHeader(kind byte, name, size string) []byte {
	h := make([]byte, 512)
	for at, text := range map[int]string{
		0: name, 100: "0000644", 108: "0000000", 116: "0000000", 124: size, 136: "00000000000", 148: "        ", 156: string(kind), 157: "target", 257: "ustar\x0000",
	} {
		if kind == '0' && at == 157 {
			continue
		}
		copy(h[at:], text)
	}
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

// tarOf returns a tar file: names and contents of files in turn.
func tarOf(namesAndContents ...string) []byte {
	var out []byte
	for i := 0; i < len(namesAndContents); i += 2 {
		out = append(out, tarEntry('0', namesAndContents[i], []byte(namesAndContents[i+1]))...)
	}
	return ended(out)
}

// ended adds the end mark.
func ended(entries []byte) []byte { return append(entries, make([]byte, 1024)...) }

// writeShards writes a tar file for each path: its images are of the given labels, in turn red and blue.
func writeShards(t testing.TB, folder string, shards map[string][]int) {
	t.Helper()
	for path, labels := range shards {
		var files []string
		for i, label := range labels {
			color := red
			if i%2 == 1 {
				color = blue
			}
			files = append(files, fmt.Sprintf("%03d.png", i), string(pngFile(t, plain(5, 7, color))), fmt.Sprintf("%03d.cls", i), fmt.Sprint(label))
		}
		write(t, filepath.Join(folder, path), tarOf(files...))
	}
}

// TestShardEntries lists what a tar file has: entries in any order, labels of both kinds, folders, and what is passed over.
func TestShardEntries(t *testing.T) {
	picture := string(pngFile(t, plain(2, 2, red)))
	folder := tarEntry('5', "b/", nil)
	for name, c := range map[string]struct {
		data   []byte
		names  string
		labels []int64
		note   string
	}{
		"image first":           {tarOf("a.png", picture, "a.cls", "3"), "a.png", []int64{3}, ""},
		"label first":           {tarOf("a.cls", "3\n", "a.png", picture), "a.png", []int64{3}, ""},
		"all labels last":       {tarOf("a.png", picture, "b.png", picture, "b.cls", "1", "a.cls", "0"), "a.png b.png", []int64{0, 1}, ""},
		"in the order of keys":  {tarOf("b.png", picture, "b.cls", "1", "a.png", picture, "a.cls", "0"), "b.png a.png", []int64{1, 0}, ""},
		"endings in upper case": {tarOf("a.PNG", picture, "a.CLS", "3"), "a.PNG", []int64{3}, ""},
		"all endings":           {tarOf("a.png", picture, "a.cls", "0", "b.jpg", picture, "b.cls", "1", "c.jpeg", picture, "c.cls", "2"), "a.png b.jpg c.jpeg", []int64{0, 1, 2}, ""},
		"JSON":                  {tarOf("a.png", picture, "a.json", `{"width": 7, "label": 3, "caption": "x"}`), "a.png", []int64{3}, ""},
		"JSON beside the label": {tarOf("a.png", picture, "a.json", `{"label": 3}`, "a.cls", "4"), "a.png", []int64{4}, ""},
		"JSON of other things":  {tarOf("a.png", picture, "a.cls", "4", "a.json", `[`), "a.png", []int64{4}, ""},
		"folders":               {slices.Concat(folder, tarOf("b/a.png", picture, "b/a.cls", "3", "c/a.png", picture, "c/a.cls", "4")), "b/a.png c/a.png", []int64{3, 4}, ""},
		"dots in folders":       {tarOf("./v1.2/a.png", picture, "v1.2/a.cls", "3"), "v1.2/a.png", []int64{3}, ""},
		"hidden":                {tarOf(".a.png", picture, "._b.png", "x", "b.png", picture, "b.cls", "1", "./.DS_Store", "x"), "b.png", []int64{1}, ""},
		"other entries": {tarOf("a.png", picture, "a.cls", "3", "a.txt", "x", "b.txt", "x", "a.seg.png", "x", "README", "x"), "a.png", []int64{3},
			"passed over 4 entries that are named as neither an image nor a label, the first is"},
		"one zero block": {tarOf("a.png", picture, "a.cls", "3")[:len(tarOf("a.png", picture, "a.cls", "3"))-512], "a.png", []int64{3}, ""},
		"filled up":      {append(tarOf("a.png", picture, "a.cls", "3"), make([]byte, 8192)...), "a.png", []int64{3}, ""},
		"a long name": {slices.Concat(tarEntry('L', "././@LongLink", []byte(strings.Repeat("x", 200)+".png\x00")), tarEntry('0', "short", []byte(picture)),
			tarEntry('x', "pax", []byte("214 path="+strings.Repeat("x", 200)+".cls\n")), tarOf("short", "3")), strings.Repeat("x", 200) + ".png", []int64{3}, ""},
		"a global header": {slices.Concat(tarEntry('g', "pax_global_header", []byte("20 comment=a commit\n")), tarOf("a.png", picture, "a.cls", "3")), "a.png", []int64{3}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "set.tar")
			write(t, path, c.data)
			d := mustOpen(t, path, Options{Shape: Shape{3, 2, 2}})
			var names []string
			for i := range d.Len() {
				names = append(names, strings.TrimPrefix(d.Name(i), path+", entry "))
				pixels := make([]uint8, 12)
				if err := d.Pixels(i, pixels); err != nil || pixels[0] != red.R || pixels[11] != red.B {
					t.Errorf("%s: pixels %v, error %v", d.Name(i), pixels, err)
				}
			}
			if got := strings.Join(names, " "); got != c.names || !slices.Equal(d.labels, c.labels) {
				t.Errorf("images %s with labels %v, want %s with %v", got, d.labels, c.names, c.labels)
			}
			if notes := strings.Join(d.Notes, "\n"); (c.note == "") != (notes == "") || !strings.Contains(notes, c.note) {
				t.Errorf("notes %q, want %q", notes, c.note)
			}
		})
	}
}

// TestShardSplits opens folders of shards with many names.
func TestShardSplits(t *testing.T) {
	const missing = ""
	for _, c := range []struct {
		shards string // the labels of a shard are its place here
		opens  map[Split]Split
		labels []int64 // of Train
		note   string  // of Train
	}{
		{"train-0.tar train-1.tar val-0.tar", map[Split]Split{Train: Train, Val: Val, Test: Val}, []int64{0, 1}, ""},
		{"train-1.tar train-0.tar test.tar", map[Split]Split{Train: Train, Val: Test, Test: Test}, []int64{1, 0}, ""}, // in string order
		{"imagenet-train-000000.tar imagenet-validation-000000.tar", map[Split]Split{Train: Train, Val: Val, Test: Val}, []int64{0}, ""},
		{"imagenet1k_TRAIN_of_0001.TAR imagenet1k_dev.tar x-test-set.tar", map[Split]Split{Train: Train, Val: Val, Test: Test}, []int64{0}, ""},
		{"train/0.tar train/1.tar valid/0.tar", map[Split]Split{Train: Train, Val: Val, Test: Val}, []int64{0, 1}, ""},
		{"Training_Set/a-val.tar test/train.tar", map[Split]Split{Train: Train, Val: Test, Test: Test}, []int64{0}, ""}, // the folder counts
		{"train-0.tar val/0.tar", map[Split]Split{Train: Train, Val: Val, Test: Val}, []int64{0}, ""},
		{"a.tar b.tar", map[Split]Split{Train: All, Val: All, Test: All}, []int64{0, 1}, ""},
		{"trains.tar contest.tar", map[Split]Split{Train: All, Test: All}, []int64{1, 0}, ""},
		{"train-0.tar a.tar", map[Split]Split{Train: Train, Test: missing}, []int64{0}, "passed over, since their names have no split, such as train or val: a.tar"},
		{"train-0.tar more/a.tar", map[Split]Split{Train: Train, Test: missing}, []int64{0}, "passed over, since their names have no split, such as train or val: more"},
		{"val-0.tar", map[Split]Split{Train: missing, Val: Val, Test: Val}, nil, ""},
	} {
		t.Run(c.shards, func(t *testing.T) {
			dir := t.TempDir()
			for i, shard := range strings.Fields(c.shards) {
				writeShards(t, dir, map[string][]int{shard: {i}})
			}
			for _, asked := range slices.Sorted(maps.Keys(c.opens)) {
				d, err := Open(dir, Options{Split: asked, Shape: Shape{3, 2, 2}})
				if c.opens[asked] == missing {
					if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("no %s split", asked)) || !strings.Contains(err.Error(), fmt.Sprintf("names such as %s-0000.tar", asked)) {
						t.Errorf("%s: error %v, want one that there is none", asked, err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if d.Split != c.opens[asked] || asked == Train && !slices.Equal(d.labels, c.labels) {
					t.Errorf("%s: opened %s with labels %v, want %s, %v", asked, d.Split, d.labels, c.opens[asked], c.labels)
				}
				if notes := strings.Join(d.Notes, "\n"); asked == Train && (!strings.Contains(notes, c.note) || (c.note == "") != (notes == "")) {
					t.Errorf("%s: notes %q, want %q", asked, notes, c.note)
				}
			}
		})
	}
}

// TestShardsDetected looks at which folders are recognized: tar files beside images of another format are none, if they hold no labels.
func TestShardsDetected(t *testing.T) {
	archive := tarOf("a/x.png", "x", "b/x.png", "x")
	for name, c := range map[string]struct {
		write  func(dir string)
		format string // "" if none, or several
	}{
		"shards":                         {func(dir string) { writeShards(t, dir, map[string][]int{"a.tar": {0}}) }, "webdataset"},
		"one compressed":                 {func(dir string) { write(t, dir+"/train-0.tar.gz", gzipped(tarOf("a.cls", "0", "a.png", "x"))) }, "webdataset"},
		"an archive":                     {func(dir string) { write(t, dir+"/photos.tar", archive) }, ""},
		"no tar file":                    {func(dir string) { write(t, dir+"/train-0.tar", []byte("hello")) }, ""},
		"image folder with an archive":   {func(dir string) { writeFolder(t, dir); write(t, dir+"/photos.tar", archive) }, "imagefolder"},
		"image folder with a compressed": {func(dir string) { writeFolder(t, dir); write(t, dir+"/photos.tgz", gzipped(archive)) }, "imagefolder"},
		"image folder with shards":       {func(dir string) { writeFolder(t, dir); writeShards(t, dir, map[string][]int{"a.tar": {0}}) }, ""},
	} {
		dir := t.TempDir()
		c.write(dir)
		f, err := chooseFormat(dir, "auto")
		if f.name != c.format {
			t.Errorf("%s: recognized %q (%v), want %q", name, f.name, err, c.format)
		}
	}
}

// TestShardsAsFolder opens the same images as tar files and as an image folder: all samples are the same.
func TestShardsAsFolder(t *testing.T) {
	dir := t.TempDir()
	var entries [2][]string
	for i := range 12 {
		name, class := fmt.Sprintf("%02d.jpg", i), i/4
		photo := jpegFile(t, plain(9+i, 20-i, red))
		write(t, filepath.Join(dir, "folder", fmt.Sprint("class", class), name), photo)
		entries[i/6] = append(entries[i/6], name, string(photo), strings.Replace(name, "jpg", "cls", 1), fmt.Sprint(class))
	}
	for i, e := range entries {
		write(t, filepath.Join(dir, "shards", fmt.Sprintf("%d.tar", i)), tarOf(e...))
	}
	o := Options{Shape: Shape{3, 6, 5}, ShortSide: 8}
	folder, shards := mustOpen(t, filepath.Join(dir, "folder"), o), mustOpen(t, filepath.Join(dir, "shards"), o)
	if !slices.Equal(folder.labels, shards.labels) || folder.Len() != 12 {
		t.Fatalf("labels %v and %v", folder.labels, shards.labels)
	}
	a, b := make([]uint8, o.Shape.Size()), make([]uint8, o.Shape.Size())
	for i := range folder.Len() {
		if err := folder.Pixels(i, a); err != nil {
			t.Fatal(err)
		}
		if err := shards.Pixels(i, b); err != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from %s (%v)", shards.Name(i), folder.Name(i), err)
		}
	}
}

// TestChangedShard changes a tar file after it was opened: the places of its images no longer hold.
func TestChangedShard(t *testing.T) {
	for name, change := range map[string]func(path string) error{
		"longer":      func(path string) error { return os.WriteFile(path, make([]byte, 9000), 0o644) },
		"another":     func(path string) error { return os.Chtimes(path, time.Time{}, time.Unix(1, 0)) },
		"not changed": func(string) error { return nil },
	} {
		path := filepath.Join(t.TempDir(), "set.tar")
		write(t, path, tarOf("a.png", string(pngFile(t, plain(2, 2, red))), "a.cls", "0"))
		d := mustOpen(t, path, Options{Shape: Shape{3, 2, 2}})
		if err := change(path); err != nil {
			t.Fatal(err)
		}
		err := d.Pixels(0, make([]uint8, 12))
		if said := err != nil && strings.Contains(err.Error(), "set.tar, entry a.png: the tar file has changed"); said != (name != "not changed") {
			t.Errorf("%s: error %v", name, err)
		}
	}
}
