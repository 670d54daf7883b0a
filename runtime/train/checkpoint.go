package train

import (
	"archive/zip"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/rcfreeze/rcfreeze/internal/archive"
	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/internal/plainfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// position is the point that a run has reached. The rest of the run depends only on this, the state vectors, the recipe and the
// data.
type position struct {
	Epoch   int     `json:"epoch"` // from 0
	Step    int     `json:"step"`  // the next step of the epoch, from 0
	LossSum float64 `json:"loss_sum"`
	Correct float64 `json:"correct"`
	Samples int     `json:"samples"`
}

func (p position) String() string { return fmt.Sprintf("epoch %d, after step %d", p.Epoch+1, p.Step) }

// checkpoint is the state of a run on disk: a zip file with a description in JSON and, for each state vector, a file of raw
// little-endian float32 numbers. The zip comment at the end of the file is the seal, a checksum with which any change of a byte
// is noticed.
type checkpoint struct {
	Recipe   Recipe          `json:"recipe"`
	Source   Source          `json:"source"`
	Position position        `json:"position"`
	Start    evaluate.Result `json:"start"` // result before the first step
	History  []Row           `json:"history"`
	Lengths  map[string]int  `json:"lengths"` // elements per state vector
	states   map[string]*onnxgraph.Tensor
}

// best returns the best accuracy so far, and the number of epochs after which it was first measured; 0 means before the first
// step.
func (c *checkpoint) best() (top1 float64, epoch int) {
	top1 = c.Start.Top1
	for _, row := range c.History {
		if row.TestTop1 > top1 {
			top1, epoch = row.TestTop1, row.Epoch
		}
	}
	return top1, epoch
}

const descriptionFile = "checkpoint.json"

// write writes the checkpoint to a file.
func (c *checkpoint) write(w io.Writer) error {
	c.Lengths = map[string]int{}
	for name, t := range c.states {
		c.Lengths[name] = int(t.Len())
	}
	s := newSealer(w)
	z := zip.NewWriter(s)
	if err := z.SetComment(strings.Repeat("0", sealSize)); err != nil {
		return err
	}
	f, err := z.Create(descriptionFile)
	if err != nil {
		return err
	}
	if err := json.NewEncoder(f).Encode(c); err != nil {
		return err
	}
	for name, t := range c.states {
		raw, err := t.Raw()
		if err != nil {
			return err
		}
		// stored without compression, because weights do not compress
		f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".f32", Method: zip.Store})
		if err != nil {
			return err
		}
		if _, err := f.Write(raw); err != nil {
			return err
		}
	}
	if err := z.Close(); err != nil {
		return err
	}
	return s.seal()
}

// save writes the checkpoint to its own file.
func (c *checkpoint) save(path string) error {
	if err := atomicfile.Write(path, c.write); err != nil {
		return fmt.Errorf("writing checkpoint %s: %w", path, err)
	}
	return nil
}

// loadCheckpoint reads a whole checkpoint. If the file differs from what was written, the error is an errDamaged.
func loadCheckpoint(path string) (*checkpoint, error) { return open(path, (*checkpoint).readStates) }

// describeCheckpoint reads a checkpoint without its states, but checks that they are as they were written.
func describeCheckpoint(path string) (*checkpoint, error) {
	return open(path, func(*checkpoint, *zip.Reader) error { return nil })
}

// open reads the description of a checkpoint, and calls rest to read the other parts.
func open(path string, rest func(*checkpoint, *zip.Reader) error) (*checkpoint, error) {
	f, info, err := plainfile.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", path, err)
	}
	defer f.Close()
	c, err := parse(f, info.Size(), rest)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", path, err)
	}
	return c, nil
}

// parse is like open, for an open file of size bytes.
func parse(file io.ReaderAt, size int64, rest func(*checkpoint, *zip.Reader) error) (*checkpoint, error) {
	if err := checkSeal(file, size); err != nil {
		return nil, err
	}
	z, err := archive.New(file, size)
	if err != nil {
		return nil, err
	}
	text, err := archive.ReadFile(z, descriptionFile, mostDescription)
	if err != nil {
		return nil, err
	}
	c := &checkpoint{states: map[string]*onnxgraph.Tensor{}}
	if err := json.Unmarshal(text, c); err != nil {
		return nil, fmt.Errorf("%s: %w", descriptionFile, err)
	}
	if err := c.checkClaims(size); err != nil {
		return nil, fmt.Errorf("%s: %w", descriptionFile, err)
	}
	return c, rest(c, z)
}

// mostDescription limits the size of a description, in bytes.
const mostDescription = 1 << 26

// checkClaims returns an error if the description cannot belong to a file of size bytes.
func (c *checkpoint) checkClaims(size int64) error {
	at := c.Position
	if at.Epoch < 0 || at.Step < 0 || at.Samples < 0 {
		return fmt.Errorf("a run cannot be at epoch %d, step %d, with %d samples", at.Epoch, at.Step, at.Samples)
	}
	left := size / 4 // elements, because they are stored without compression
	for name, length := range c.Lengths {
		if length < 0 || int64(length) > left {
			return fmt.Errorf("state %s with %d elements, and all others, cannot be in a file of %d bytes", name, length, size)
		}
		left -= int64(length)
	}
	return nil
}

func (c *checkpoint) readStates(z *zip.Reader) error {
	for name, length := range c.Lengths {
		size := 4 * int64(length)
		raw, err := archive.ReadFile(z, name+".f32", size)
		if err != nil {
			return fmt.Errorf("state %s: %w", name, err)
		}
		if int64(len(raw)) != size {
			return fmt.Errorf("state %s has %d bytes, needs %d", name, len(raw), size)
		}
		c.states[name] = onnxgraph.NewRawTensor(onnxgraph.Float32, []int64{int64(length)}, raw)
	}
	return nil
}
