package dataset

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// folderLayout says where the class folders of an image folder are.
type folderLayout struct {
	path   string
	splits map[Split]string // the folders of the splits; empty if the classes are in path itself
	notes  []string
}

// readFolderLayout finds the folders that are splits, by their names and by the folders in them: a class can also be called
// "train", but has no folders.
func readFolderLayout(path string) (*folderLayout, error) {
	names, err := subfolders(path)
	if err != nil {
		return nil, err
	}
	l := &folderLayout{path: path, splits: map[Split]string{}}
	var faults []error
	var flat, others []string // folders with names of splits, but without folders in them; folders with other names
	for _, name := range names {
		folder := filepath.Join(path, name)
		split := splitNamed(name)
		if split == "" {
			others = append(others, name)
			continue
		}
		inner, err := subfolders(folder)
		switch {
		case err != nil:
			return nil, err
		case len(inner) == 0:
			flat = append(flat, name)
		case l.splits[split] != "":
			faults = append(faults, fmt.Errorf("%s and %s are both the %s split: join them, or move one of them away", l.splits[split], folder, split))
		default:
			l.splits[split] = folder
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	switch {
	case len(l.splits) > 0:
		if rest := slices.Concat(flat, others); len(rest) > 0 {
			slices.Sort(rest)
			l.notes = append(l.notes, fmt.Sprintf("beside %s, these folders are no splits with class folders in them, and are passed over: %s", l.list(), onnxgraph.Listed(rest)))
		}
	case len(flat) > 0 && len(others) == 0:
		return nil, fmt.Errorf("%s: these are named like splits, but have no class folders: put the images of each class into a folder of its own, such as %s",
			onnxgraph.Listed(flat), filepath.Join(path, flat[0], "CLASS"))
	case len(flat) > 0:
		l.notes = append(l.notes, fmt.Sprintf("%s: taken as classes, since there are no folders in them", onnxgraph.Listed(flat)))
	default:
		return l, refuseUnknownSplits(path, others)
	}
	return l, nil
}

// refuseUnknownSplits returns an error if folders without names of splits look like splits: each has no images, and all have the
// same folders, which would be the classes.
func refuseUnknownSplits(path string, names []string) error {
	if len(names) < 2 {
		return nil
	}
	var first []string
	for i, name := range names {
		folder := filepath.Join(path, name)
		inner, err := subfolders(folder)
		if err != nil {
			return err
		}
		if i == 0 {
			first = inner
		}
		if len(inner) < 2 || !slices.Equal(inner, first) || holdsImages(folder) {
			return nil
		}
	}
	return fmt.Errorf("%s contain the same folders, %s, so they look like splits, but their names are not: name them train, val or test; "+
		"if they are the classes, put their images directly into them", onnxgraph.Listed(names), onnxgraph.Listed(first))
}

// holdsImages reports whether a folder itself, not only a folder below it, has an image.
func holdsImages(folder string) bool {
	entries, err := os.ReadDir(folder)
	return err == nil && slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() && hasImageEnding(e.Name()) })
}

// choose returns the split to use for the one asked for, and its folder.
func (l *folderLayout) choose(asked Split) (split Split, folder string, err error) {
	if len(l.splits) == 0 {
		return All, l.path, nil
	}
	if split = asked.among(slices.Collect(maps.Keys(l.splits))...); split == "" {
		var names []string
		for _, serves := range instead[asked] {
			names = append(names, splitNames[serves]...)
		}
		return "", "", fmt.Errorf("no %s split in %s, which has %s: needs a folder with class folders in it, named %s, in any case",
			asked, l.path, l.list(), strings.Join(names, " or "))
	}
	return split, l.splits[split], nil
}

// list names the folders of the splits.
func (l *folderLayout) list() string {
	var names []string
	for _, split := range Splits() {
		if folder := l.splits[split]; folder != "" {
			names = append(names, filepath.Base(folder))
		}
	}
	return strings.Join(names, ", ")
}

// classes returns the names of the classes in label order, and the folder that defines them.
func (l *folderLayout) classes() (names []string, reference string, err error) {
	if train := l.splits[Train]; train != "" || len(l.splits) == 0 {
		if train == "" {
			train = l.path
		}
		names, err = subfolders(train)
		return names, train, err
	}
	for _, folder := range l.splits {
		inner, err := subfolders(folder)
		if err != nil {
			return nil, "", err
		}
		names = append(names, inner...)
	}
	slices.Sort(names)
	return slices.Compact(names), l.path, nil
}
