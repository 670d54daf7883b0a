package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

var imageEndings = []string{".png", ".jpg", ".jpeg"}

func hasImageEnding(path string) bool {
	return slices.Contains(imageEndings, strings.ToLower(filepath.Ext(path)))
}

// detectFolder reports whether there is an image one or two folders below path: in the folder of a class, with or without splits.
func detectFolder(path string) bool {
	folders, err := subfolders(path)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(folders, func(name string) bool {
		folder := filepath.Join(path, name)
		if holdsImages(folder) {
			return true
		}
		inner, err := subfolders(folder)
		return err == nil && slices.ContainsFunc(inner, func(name string) bool { return holdsImages(filepath.Join(folder, name)) })
	})
}

// emptyFolders returns an error that names the folders one or two below path that look like those of classes but hold no image, nil
// if there are none. It is for a path that is no data set.
func emptyFolders(path string) error {
	var empty []string
	folders, _ := subfolders(path)
	for _, name := range folders {
		folder := filepath.Join(path, name)
		inner, _ := subfolders(folder)
		if len(inner) == 0 {
			empty = append(empty, folder)
		}
		for _, name := range inner {
			empty = append(empty, filepath.Join(folder, name))
		}
	}
	if empty == nil {
		return nil
	}
	return fmt.Errorf("if these are folders of classes, they hold no PNG or JPEG file (%s): %s", strings.Join(imageEndings, ", "), onnxgraph.Listed(empty))
}

// openFolder opens an image folder. Labels are the positions of the classes in string order, as in torchvision; the classes are
// those of the training split, or of all splits if there is no training split. Names that start with a dot are ignored.
func openFolder(path string, o Options) (*Dataset, error) {
	l, err := readFolderLayout(path)
	if err != nil {
		return nil, err
	}
	d := &Dataset{Notes: l.notes, named: true}
	if err := d.scaleTo(o.Shape); err != nil {
		return nil, err
	}
	split, folder, err := l.choose(o.Split)
	if err != nil {
		return nil, err
	}
	classes, reference, err := l.classes()
	if err != nil {
		return nil, err
	}
	own, err := subfolders(folder)
	if err != nil {
		return nil, err
	}
	if extra := without(own, classes); len(extra) > 0 {
		return nil, fmt.Errorf("%s has classes that the training split %s lacks: %s", folder, reference, strings.Join(extra, ", "))
	}
	d.Path, d.Split, d.Classes = folder, split, classes
	if missing := without(classes, own); len(missing) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("there are no images of %s", onnxgraph.Listed(missing)))
	}
	files, err := d.listFiles(own)
	if err != nil {
		return nil, err
	}
	d.sample = func(i int) string { return files[i] }
	d.content = filesContent(folder, files)
	d.read = func(i int, dst []uint8) error { return readImage(files[i], d.Shape, o, dst) }
	return d, nil
}

// scaleTo is for images of any size, which are scaled to the shape that the model takes when they are read.
func (d *Dataset) scaleTo(s Shape) error {
	d.scales, d.Shape = true, s
	if s.Channels == 0 {
		d.Shape.Channels = 3
		d.Notes = append(d.Notes, "the model leaves open how many channels it takes: images are read as RGB, with 3")
	}
	return checkScaled(d.Shape)
}

// TurnsGray reports whether images in color are turned into gray as they are read: from image files, for a model of one channel.
func (d *Dataset) TurnsGray() bool { return d.scales && d.Shape.Channels == 1 }

func checkScaled(s Shape) error {
	if s.Channels != 1 && s.Channels != 3 {
		return fmt.Errorf("images are read with 1 (grayscale) or 3 (RGB) channels, not %d: use a model with 1 or 3 input channels", s.Channels)
	}
	if s.Height <= 0 || s.Width <= 0 {
		return errors.New("images may differ in size, and the model does not fix its image size: give --image-size, such as 224 or, as height and width, 224x160")
	}
	return nil
}

// subfolders returns the names of the folders in a folder, including links to folders, in string order, as os.ReadDir sorts them.
func subfolders(folder string) ([]string, error) {
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		info, err := os.Stat(filepath.Join(folder, e.Name()))
		if err == nil && info.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// listFiles returns the images of the given classes, class by class, and sets their labels. The error
// lists all classes without one.
func (d *Dataset) listFiles(classes []string) ([]string, error) {
	var files, skipped, empty []string
	for _, class := range classes {
		folder := filepath.Join(d.Path, class)
		images, others, err := filesBelow(folder)
		if err != nil {
			return nil, err
		}
		if len(images) == 0 {
			empty = append(empty, folder)
		}
		files, skipped = append(files, images...), append(skipped, others...)
		label := int64(slices.Index(d.Classes, class))
		d.labels = append(d.labels, slices.Repeat([]int64{label}, len(images))...)
	}
	if len(empty) > 0 {
		return nil, fmt.Errorf("class folders without a PNG or JPEG file (%s): %s; fill or remove them",
			strings.Join(imageEndings, ", "), strings.Join(empty, ", "))
	}
	if len(skipped) > 0 {
		d.Notes = append(d.Notes, fmt.Sprintf("passed over %d files that are not named as PNG or JPEG, the first is %s", len(skipped), skipped[0]))
	}
	return files, nil
}

// filesBelow returns the files in a folder and the folders in it, in string order. The error lists entries that have the name of
// an image but are not files.
func filesBelow(folder string) (images, others []string, err error) {
	var faults []error
	// The separator makes WalkDir enter a folder that is a link.
	err = filepath.WalkDir(folder+string(filepath.Separator), func(path string, d fs.DirEntry, err error) error {
		switch hidden := strings.HasPrefix(d.Name(), "."); {
		case err != nil:
			return err
		case d.IsDir() && hidden:
			return fs.SkipDir
		case d.IsDir() || hidden:
		case hasImageEnding(path):
			images = append(images, filepath.Clean(path))
			faults = append(faults, checkEntry(filepath.Clean(path), d))
		default:
			others = append(others, filepath.Clean(path))
		}
		return nil
	})
	return images, others, errors.Join(append(faults, err)...)
}

// checkEntry returns an error if an entry of a folder is neither a file nor a link to one.
func checkEntry(path string, d fs.DirEntry) error {
	if d.Type().IsRegular() {
		return nil
	}
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	return plainfile.Check(path, info)
}

// without returns the elements of a that are not in b.
func without(a, b []string) []string {
	return slices.DeleteFunc(slices.Clone(a), func(s string) bool { return slices.Contains(b, s) })
}
