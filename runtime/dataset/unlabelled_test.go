package dataset

import (
	"bytes"
	"image/color"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// TestOpenImages opens files, folders and both, as they are given.
func TestOpenImages(t *testing.T) {
	dir := t.TempDir()
	at := func(names string) (paths []string) {
		for name := range strings.FieldsSeq(names) {
			paths = append(paths, filepath.Join(dir, name))
		}
		return paths
	}
	shade := map[string]uint8{}
	for i, name := range strings.Fields("one.png some/b.PNG some/deep/a.jpg some/.hidden/x.png some/.x.png mixed/b.png mixed/c.png") {
		picture, path := plain(4, 4, color.Gray{uint8(10 * i)}), filepath.Join(dir, name)
		shade[path] = uint8(10 * i)
		if strings.HasSuffix(name, "jpg") {
			write(t, path, jpegFile(t, picture))
		} else {
			write(t, path, pngFile(t, picture))
		}
	}
	write(t, filepath.Join(dir, "mixed/a.txt"), nil)
	write(t, filepath.Join(dir, "mixed/z.webp"), nil)
	write(t, filepath.Join(dir, "nothing/a.txt"), nil)
	gray := Shape{1, 2, 2}
	for _, c := range []struct {
		paths, files string
		shape        Shape
		notes        []string
	}{
		{"one.png", "one.png", gray, nil},
		{"some", "some/b.PNG some/deep/a.jpg", gray, nil},
		{"some one.png some/b.PNG", "some/b.PNG some/deep/a.jpg one.png some/b.PNG", gray, nil},
		{"mixed", "mixed/b.png mixed/c.png", gray, []string{"passed over 2 files that are not named as PNG or JPEG, the first is " + at("mixed/a.txt")[0]}},
		{"one.png", "one.png", Shape{0, 2, 2}, []string{"read as RGB, with 3"}},
	} {
		d, err := OpenImages(at(c.paths), Options{Shape: c.shape})
		if err != nil {
			t.Errorf("%s: %v", c.paths, err)
			continue
		}
		var files []string
		for i := range d.Len() {
			files = append(files, d.Name(i))
			pixels := make([]uint8, d.Shape.Size())
			if err := d.Pixels(i, pixels); err != nil || d.Label(i) != 0 {
				t.Errorf("%s: image %d has label %d, error %v", c.paths, i, d.Label(i), err)
			}
			want := bytes.Repeat([]uint8{shade[files[i]]}, len(pixels))
			if !slices.Equal(pixels, want) {
				t.Errorf("%s: the pixels of %s are %v, want %v", c.paths, files[i], pixels, want)
			}
		}
		if want := at(c.files); !slices.Equal(files, want) {
			t.Errorf("%s: opened %q, want %q", c.paths, files, want)
		}
		if want := c.shape.or(Shape{Channels: 3}); d.Shape != want {
			t.Errorf("%s: images of %v, want %v", c.paths, d.Shape, want)
		}
		if len(d.Notes) != len(c.notes) || len(c.notes) > 0 && !strings.Contains(d.Notes[0], c.notes[0]) {
			t.Errorf("%s: notes %q, want %q", c.paths, d.Notes, c.notes)
		}
	}
	for _, c := range []struct {
		paths string
		shape Shape
		want  []string
	}{
		{"none one.png nothing nowhere", gray, []string{at("none")[0], at("nothing")[0] + " holds no PNG or JPEG", at("nowhere")[0]}},
		{"one.png", Shape{4, 2, 2}, []string{"not 4"}},
		{"one.png", Shape{3, 0, 2}, []string{"--image-size"}},
		{"one.png", Shape{3, 2, 0}, []string{"--image-size"}},
	} {
		_, err := OpenImages(at(c.paths), Options{Shape: c.shape})
		for _, want := range c.want {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s for images of %v: error %v lacks %q", c.paths, c.shape, err, want)
			}
		}
	}
	wide, err := OpenImages(at("one.png"), Options{Shape: Shape{1, 8, 8}, ShortSide: 6})
	if err != nil {
		t.Fatal(err)
	}
	if err := wide.Pixels(0, make([]uint8, 64)); err == nil || !strings.Contains(err.Error(), "larger short side") || !strings.Contains(err.Error(), "one.png") {
		t.Errorf("a short side of 6 for images of 8×8: error %v", err)
	}
}
