package dataset

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// shard is a tar file. Its images are read from where they are in it: nothing is unpacked.
type shard struct {
	path    string
	size    int64
	changed time.Time
	images  []shardImage
	labels  []int64  // of the images
	others  []string // entries that are neither images nor labels
}

// shardImage is an image in a shard.
type shardImage struct {
	shard *shard
	place
}

// place says where an entry is in its shard.
type place struct {
	name         string
	offset, size int64
}

// shardFile is what a shard is read from.
type shardFile interface {
	io.ReadSeeker
	io.ReaderAt
}

// shardSample has the entries of one key: the name up to the first dot after the last slash.
type shardSample struct{ image, cls, json place }

// readShard lists the images of a shard, and reads their labels.
func readShard(path string, faults *shardFaults) (*shard, error) {
	f, info, err := plainfile.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	s := &shard{path: path, size: info.Size(), changed: info.ModTime()}
	if err := s.list(f, faults); err != nil {
		return nil, fmt.Errorf("reading %s: %w", path, err)
	}
	return s, nil
}

// list lists the images in the order of their keys in the file. An error says that the file is damaged; what is wrong with its entries
// goes to faults.
func (s *shard) list(f shardFile, faults *shardFaults) error {
	if err := refuseCompressed(f); err != nil {
		return err
	}
	samples := map[string]*shardSample{}
	var keys []string
	end := int64(0)
	t := tar.NewReader(f)
	for {
		h, err := t.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("after %d bytes: %w: the file is damaged, cut short, or not a tar file", end, err)
		}
		offset, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return err
		}
		size := dataSize(h)
		if size > s.size-offset {
			return fmt.Errorf("the entry %s claims %d bytes, but only %d are left: the file is cut short or damaged", h.Name, size, s.size-offset)
		}
		end = offset + (size+blockSize-1)/blockSize*blockSize
		e := place{path.Clean(h.Name), offset, size}
		key, ending := splitKey(e.name)
		switch {
		case h.Typeflag == tar.TypeDir || h.Typeflag == tar.TypeXGlobalHeader:
			continue
		case h.Typeflag != tar.TypeReg || isSparse(h):
			faults.noFiles = append(faults.noFiles, s.called(h.Name))
			continue
		case path.IsAbs(e.name) || e.name == ".." || strings.HasPrefix(e.name, "../"):
			faults.outside = append(faults.outside, s.called(h.Name))
			continue
		case strings.HasPrefix(path.Base(e.name), "."):
			continue // as in image folders
		}
		sample := samples[key]
		if sample == nil {
			sample = &shardSample{}
		}
		to := sample.entry(ending)
		switch {
		case to == nil:
			s.others = append(s.others, s.called(e.name))
			continue
		case to.name != "":
			faults.doubled = append(faults.doubled, s.called(e.name))
			continue
		}
		*to = e
		if samples[key] == nil {
			samples[key] = sample
			keys = append(keys, key)
		}
	}
	if err := s.checkEnd(f, end); err != nil {
		return err
	}
	for _, key := range keys {
		if err := s.add(f, samples[key], faults); err != nil {
			return err
		}
	}
	return nil
}

// entry returns the place for an entry with that ending, nil if it is neither an image nor a label.
func (s *shardSample) entry(ending string) *place {
	switch {
	case slices.Contains(imageEndings, ending):
		return &s.image
	case ending == ".cls":
		return &s.cls
	case ending == ".json":
		return &s.json
	}
	return nil
}

// add adds a sample, if it has an image and a label. A .cls is the label where there is a .json, too, which then tells other things.
func (s *shard) add(f io.ReaderAt, sample *shardSample, faults *shardFaults) error {
	label, parse, most := sample.cls, parseCls, int64(64)
	if label.name == "" {
		label, parse, most = sample.json, parseJSON, 1<<20
	}
	switch {
	case label.name == "":
		faults.unlabeled = append(faults.unlabeled, s.called(sample.image.name))
		return nil
	case sample.image.name == "":
		faults.imageless = append(faults.imageless, s.called(label.name))
		return nil
	case label.size > most:
		faults.odd = append(faults.odd, fmt.Sprintf("%s (%d bytes)", s.called(label.name), label.size))
		return nil
	}
	text := make([]byte, label.size)
	if _, err := io.ReadFull(io.NewSectionReader(f, label.offset, label.size), text); err != nil {
		return fmt.Errorf("the entry %s: %w", label.name, err)
	}
	number, err := parse(text)
	if err != nil {
		faults.odd = append(faults.odd, fmt.Sprintf("%s (%v)", s.called(label.name), err))
		return nil
	}
	s.images, s.labels = append(s.images, shardImage{s, sample.image}), append(s.labels, number)
	return nil
}

// called returns the name of an entry for messages.
func (s *shard) called(entry string) string { return fmt.Sprintf("%s, entry %s", s.path, entry) }

// parseCls reads a class number as text.
func parseCls(text []byte) (int64, error) {
	text = bytes.TrimSpace(text)
	number, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no class number", text)
	}
	return number, nil
}

// parseJSON reads the class number from an object such as {"label": 3}.
func parseJSON(text []byte) (int64, error) {
	var object struct {
		Label json.RawMessage `json:"label"`
	}
	if err := json.Unmarshal(text, &object); err != nil {
		return 0, err
	}
	if object.Label == nil {
		return 0, errors.New(`there is no "label"`)
	}
	return parseCls(object.Label)
}

// splitKey splits the name of an entry at the first dot after the last slash, as webdataset does. The ending is in lower case.
func splitKey(name string) (key, ending string) {
	start := strings.LastIndexByte(name, '/') + 1
	dot := strings.IndexByte(name[start:], '.')
	if dot < 0 {
		return name, ""
	}
	return name[:start+dot], strings.ToLower(name[start+dot:])
}

const blockSize = 512 // of tar files, in bytes

// dataSize returns how many bytes follow the header of an entry.
func dataSize(h *tar.Header) int64 {
	switch h.Typeflag {
	case tar.TypeLink, tar.TypeSymlink, tar.TypeChar, tar.TypeBlock, tar.TypeDir, tar.TypeFifo:
		return 0
	}
	return h.Size
}

// isSparse reports whether an entry leaves out parts of its file that are zeros.
func isSparse(h *tar.Header) bool {
	for key := range h.PAXRecords {
		if strings.HasPrefix(key, "GNU.sparse.") {
			return true
		}
	}
	return false
}

func refuseCompressed(f io.ReaderAt) error {
	_, compressed, err := gunzipped(io.NewSectionReader(f, 0, blockSize))
	if compressed {
		return errors.New("it is compressed by gzip, so that images can be read only one after the other: unpack it by gunzip, to a .tar file that is hardly larger")
	}
	return err
}

// checkEnd returns an error if the mark is missing that follows the last entry, or if anything follows the mark: images would be
// missing.
func (s *shard) checkEnd(f io.ReaderAt, end int64) error {
	const most = 1 << 20 // bytes; usually writers fill up 10,240
	if s.size-end > most {
		return fmt.Errorf("after its end mark, at %d bytes, it has %d bytes more: it is damaged, or several tar files were joined: give each as a shard", end, s.size-end)
	}
	rest := make([]byte, max(s.size-end, 0))
	if _, err := f.ReadAt(rest, end); err != nil && err != io.EOF {
		return err
	}
	if len(rest) < blockSize {
		return fmt.Errorf("it has no end mark after its last entry, at %d bytes: it is cut short, or the program that wrote it did not close it", end)
	}
	if slices.ContainsFunc(rest, func(b byte) bool { return b != 0 }) {
		return fmt.Errorf("after its end mark, at %d bytes, there is more data: it is damaged, or several tar files were joined: give each as a shard", end)
	}
	return nil
}

// read writes an image to dst in the given shape.
func (i shardImage) read(shape Shape, o Options, dst []uint8) error {
	f, info, err := plainfile.Open(i.shard.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if info.Size() != i.shard.size || !info.ModTime().Equal(i.shard.changed) {
		return errors.New("the tar file has changed since the data set was opened: leave it as it is until the command is done")
	}
	return scaleImage(io.NewSectionReader(f, i.offset, i.size), i.size, shape, o, dst)
}

// shardFaults lists the entries of all shards that are wrong, by kind.
type shardFaults struct{ noFiles, outside, doubled, unlabeled, imageless, odd []string }

// err returns an error with a line for each kind, nil if there are no faults.
func (f *shardFaults) err() error {
	var faults []error
	for _, kind := range []struct {
		entries      []string
		is, are, fix string
	}{
		{f.noFiles, "entry is not a plain file, but a link, a device, a sparse file or the like", "entries are not plain files, but links, devices, sparse files or the like", "put the files themselves in, as plain files"},
		{f.outside, "entry has a path that leads out of the tar file", "entries have paths that lead out of the tar file", "use names without a slash in front, and without .."},
		{f.doubled, "entry is there twice, or is a second image of its key", "entries are there twice, or are second images of their keys", "each key needs one image, and at most one .cls and one .json"},
		{f.unlabeled, "image has no label", "images have no label", "each KEY.jpg or KEY.png needs a KEY.cls with a class number, or a KEY.json with a \"label\", in the same tar file; a tar file of class folders must be unpacked"},
		{f.imageless, "label has no image", "labels have no image", "each KEY.cls and KEY.json needs an image, KEY.jpg, KEY.jpeg or KEY.png, in the same tar file"},
		{f.odd, "label is wrong", "labels are wrong", "a .cls has a class number as text, such as 3, and a .json an object such as {\"label\": 3}"},
	} {
		says := kind.are
		if len(kind.entries) == 1 {
			says = kind.is
		}
		if n := len(kind.entries); n > 0 {
			faults = append(faults, fmt.Errorf("%d %s: %s: %s", n, says, onnxgraph.Listed(kind.entries), kind.fix))
		}
	}
	return errors.Join(faults...)
}
