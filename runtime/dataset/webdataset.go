package dataset

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// shardEndings has compressed ones, too, to say what to do with them.
var shardEndings = []string{".tar", ".tar.gz", ".tgz"}

// withoutShardEnding returns the name of a shard without its ending, and whether it has one.
func withoutShardEnding(name string) (string, bool) {
	for _, ending := range shardEndings {
		if n := len(name) - len(ending); n > 0 && strings.EqualFold(name[n:], ending) {
			return name[:n], true
		}
	}
	return name, false
}

// detectShards reports whether path is named as a tar file, or is a folder with tar files of which one has labels: others may be next to
// the images that were in them.
func detectShards(path string) bool {
	if info, err := os.Stat(path); err != nil || !info.IsDir() {
		_, ok := withoutShardEnding(path)
		return err == nil && ok
	}
	l := shardLayout{path: path}
	if err := l.find(); err != nil {
		return false
	}
	return slices.ContainsFunc(slices.Concat(l.direct, slices.Concat(slices.Collect(maps.Values(l.below))...)), startsWithLabels)
}

// startsWithLabels reports whether the first entries of a tar file, which may be compressed, have a label.
func startsWithLabels(path string) bool {
	f, _, err := plainfile.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	const entries, most = 16, 1 << 28 // bytes
	content, _, err := gunzipped(f)
	if err != nil {
		return false
	}
	t := tar.NewReader(io.LimitReader(content, most))
	for range entries {
		h, err := t.Next()
		if err != nil {
			return false
		}
		if _, ending := splitKey(h.Name); ending == ".cls" || ending == ".json" {
			return true
		}
	}
	return false
}

// shardLayout says which shards each split has.
type shardLayout struct {
	path   string
	direct []string            // the shards in path itself
	below  map[string][]string // those in the folders in it, by the folder's name
	splits map[Split][]string  // the shards of the splits; empty if path has none, but only shards
	notes  []string
}

// find finds the shards in a folder, and in the folders in it.
func (l *shardLayout) find() error {
	var err error
	if l.direct, err = shardsIn(l.path); err != nil {
		return err
	}
	folders, err := subfolders(l.path)
	if err != nil {
		return err
	}
	l.below = map[string][]string{}
	for _, name := range folders {
		shards, err := shardsIn(filepath.Join(l.path, name))
		if err != nil {
			return err
		}
		if len(shards) > 0 {
			l.below[name] = shards
		}
	}
	return nil
}

// shardsIn returns the paths of the shards in a folder, in string order.
func shardsIn(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var shards []string
	for _, e := range entries {
		if _, ok := withoutShardEnding(e.Name()); ok && !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			shards = append(shards, filepath.Join(folder, e.Name()))
		}
	}
	return shards, nil
}

// readShardLayout finds the splits: shards with the name of a split in their names, or in a folder of such a name.
func readShardLayout(path string) (*shardLayout, error) {
	l := &shardLayout{path: path, splits: map[Split][]string{}}
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		l.direct = []string{path}
		return l, nil
	}
	if err := l.find(); err != nil {
		return nil, err
	}
	var faults []error
	var rest []string
	for _, path := range l.direct {
		splits := splitsInName(path)
		switch len(splits) {
		case 0:
			rest = append(rest, filepath.Base(path))
		case 1:
			l.splits[splits[0]] = append(l.splits[splits[0]], path)
		default:
			faults = append(faults, fmt.Errorf("the name of %s has several splits, %s and %s: rename it, such as train-0000.tar", path, splits[0], splits[1]))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(l.below)) {
		split := splitNamed(name)
		switch {
		case split == "":
			rest = append(rest, name)
		case len(l.splits[split]) > 0:
			faults = append(faults, fmt.Errorf("%s and %s are both of the %s split: put all its shards into one folder", l.splits[split][0], l.below[name][0], split))
		default:
			l.splits[split] = l.below[name]
		}
	}
	switch {
	case len(l.splits) > 0 && len(rest) > 0:
		l.notes = append(l.notes, fmt.Sprintf("these shards and folders of shards are passed over, since their names have no split, such as train or val: %s", onnxgraph.Listed(rest)))
	case len(faults) == 0 && len(l.splits) == 0 && len(l.below) > 0:
		faults = append(faults, fmt.Errorf("these folders of shards have no names of splits: %s: name them train, val or test, or give one of them as the data set", onnxgraph.Listed(slices.Sorted(maps.Keys(l.below)))))
	case len(faults) == 0 && len(l.splits) == 0 && len(l.direct) == 0:
		faults = append(faults, errors.New("there are no tar files in it"))
	}
	return l, errors.Join(faults...)
}

// splitsInName returns the splits that the name of a shard has, such as imagenet-train-0000.tar, each once.
func splitsInName(path string) []Split {
	stem, _ := withoutShardEnding(filepath.Base(path))
	if split := splitNamed(stem); split != "" {
		return []Split{split}
	}
	var splits []Split
	for word := range strings.FieldsFuncSeq(stem, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if split := splitNamed(word); split != "" && !slices.Contains(splits, split) {
			splits = append(splits, split)
		}
	}
	return splits
}

// choose returns the split to use for the one asked for, and its shards.
func (l *shardLayout) choose(asked Split) (Split, []string, error) {
	if len(l.splits) == 0 {
		return All, l.direct, nil
	}
	split := asked.among(slices.Collect(maps.Keys(l.splits))...)
	if split == "" {
		var has []string
		for _, s := range slices.Sorted(maps.Keys(l.splits)) {
			has = append(has, string(s))
		}
		return "", nil, fmt.Errorf("no %s split in %s, which has %s: needs shards with names such as %[1]s-0000.tar, or a folder named %[1]s", asked, l.path, strings.Join(has, ", "))
	}
	return split, l.splits[split], nil
}

// openShards opens tar files as webdataset writes them: an image and its label are entries of the same name with the endings .jpg or
// .png, and .cls or .json. All that is wrong with the entries is listed at once.
func openShards(path string, o Options) (*Dataset, error) {
	l, err := readShardLayout(path)
	if err != nil {
		return nil, err
	}
	split, shards, err := l.choose(o.Split)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Path: path, Split: split, Notes: l.notes}
	if err := d.scaleTo(o.Shape); err != nil {
		return nil, err
	}
	var damaged []error
	var faults shardFaults
	var images []shardImage
	var others []string
	for _, path := range shards {
		s, err := readShard(path, &faults)
		if err != nil {
			damaged = append(damaged, err)
			continue
		}
		images, others, d.labels = append(images, s.images...), append(others, s.others...), append(d.labels, s.labels...)
	}
	if err := errors.Join(append(damaged, faults.err())...); err != nil {
		return nil, err
	}
	if len(others) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("passed over %d entries that are named as neither an image nor a label, the first is %s", len(others), others[0]))
	}
	d.useShards(images, o)
	return d, nil
}

// useShards sets the functions that read images in shards.
func (d *Dataset) useShards(images []shardImage, o Options) {
	d.sample = func(i int) string { return images[i].shard.called(images[i].name) }
	d.read = func(i int, dst []uint8) error { return images[i].read(d.Shape, o, dst) }
	d.content = func(w io.Writer, i int) error {
		name, err := filepath.Rel(d.Path, images[i].shard.path)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%q %q %d\n", filepath.ToSlash(name), images[i].name, images[i].size)
		return err
	}
}
