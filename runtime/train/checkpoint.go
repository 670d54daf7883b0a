package train

import (
	"archive/zip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/onnxgraph/atomicfile"
	"github.com/rcfreeze/rcfreeze/runtime/evaluate"
)

// position is where a run stands: what follows depends on nothing but this, the state vectors, the
// recipe and the data.
type position struct {
	Epoch   int     `json:"epoch"` // from 0
	Step    int     `json:"step"`  // of the epoch, from 0: the next one to do
	LossSum float64 `json:"loss_sum"`
	Correct float64 `json:"correct"`
	Samples int     `json:"samples"`
}

// checkpoint is a run on disk: a zip file of its description as JSON and of one raw little-endian float32
// file per state vector.
type checkpoint struct {
	Recipe   Recipe          `json:"recipe"`
	Source   Source          `json:"source"`
	Position position        `json:"position"`
	Start    evaluate.Result `json:"start"`     // before the first step
	Best     float64         `json:"best_top1"` // from the start on
	History  []Row           `json:"history"`
	Lengths  map[string]int  `json:"lengths"` // elements per state vector
	states   map[string]*onnxgraph.Tensor
}

const descriptionFile = "checkpoint.json"

func (c *checkpoint) save(path string) error {
	c.Lengths = map[string]int{}
	for name, t := range c.states {
		c.Lengths[name] = int(t.Len())
	}
	err := atomicfile.Write(path, func(w io.Writer) error {
		z := zip.NewWriter(w)
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
			// stored, not deflated: weights do not compress
			f, err := z.CreateHeader(&zip.FileHeader{Name: name + ".f32", Method: zip.Store})
			if err != nil {
				return err
			}
			if _, err := f.Write(raw); err != nil {
				return err
			}
		}
		return z.Close()
	})
	if err != nil {
		return fmt.Errorf("writing checkpoint %s: %w", path, err)
	}
	return nil
}

func loadCheckpoint(path string) (*checkpoint, error) {
	c, err := readCheckpoint(path)
	if err != nil {
		return nil, fmt.Errorf("reading checkpoint %s: %w", path, err)
	}
	return c, nil
}

func readCheckpoint(path string) (*checkpoint, error) {
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, err
	}
	defer z.Close()
	c, err := readDescription(z)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", descriptionFile, err)
	}
	for name, length := range c.Lengths {
		f, err := z.Open(name + ".f32")
		if err != nil {
			return nil, err
		}
		raw, err := io.ReadAll(f)
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, fmt.Errorf("state %s: %w", name, err)
		}
		if len(raw) != 4*length {
			return nil, fmt.Errorf("state %s has %d bytes, needs %d", name, len(raw), 4*length)
		}
		c.states[name] = onnxgraph.NewRawTensor(onnxgraph.Float32, []int64{int64(length)}, raw)
	}
	return c, nil
}

// readDescription returns a checkpoint without its states.
func readDescription(z *zip.ReadCloser) (*checkpoint, error) {
	f, err := z.Open(descriptionFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f) // to the end, where the checksum is compared
	if err != nil {
		return nil, err
	}
	c := &checkpoint{states: map[string]*onnxgraph.Tensor{}}
	return c, json.Unmarshal(text, c)
}

// hasWork reports whether the checkpoint at path is of a run that did some steps, or cannot be read.
func hasWork(path string) bool {
	z, err := zip.OpenReader(path)
	if err != nil {
		return true
	}
	defer z.Close()
	c, err := readDescription(z)
	return err != nil || c.Position != position{}
}

// Folder is where a run keeps its files.
type Folder string

func (f Folder) last() string    { return filepath.Join(string(f), "last.ckpt") }
func (f Folder) best() string    { return filepath.Join(string(f), "best.ckpt") }
func (f Folder) metrics() string { return filepath.Join(string(f), "metrics.csv") }

// HasRun reports whether the folder holds a run that can be resumed.
func (f Folder) HasRun() bool {
	_, err := os.Stat(f.last())
	return err == nil
}

// prepare makes the folder and checks that it can be written to. A folder that holds the work of another run is an error
// unless that is to be resumed.
func (f Folder) prepare(resume bool) error {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return fmt.Errorf("making the run's folder: %w", err)
	}
	if !resume && f.HasRun() && hasWork(f.last()) {
		return fmt.Errorf("starting a run in %s: it holds another run: resume that with --resume, or choose or empty another folder", f)
	}
	if err := atomicfile.Check(f.last()); err != nil {
		return fmt.Errorf("checking that the run's folder can be written: %w", err)
	}
	return nil
}
