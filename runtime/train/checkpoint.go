package train

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
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
	Recipe   Recipe         `json:"recipe"`
	Source   source         `json:"source"`
	Position position       `json:"position"`
	Best     float64        `json:"best_top1"`
	History  []Row          `json:"history"`
	Lengths  map[string]int `json:"lengths"` // elements per state vector
	states   map[string]*onnxgraph.Tensor
}

const descriptionFile = "checkpoint.json"

func (c *checkpoint) save(path string) error {
	c.Lengths = map[string]int{}
	for name, t := range c.states {
		c.Lengths[name] = int(t.Len())
	}
	err := onnxgraph.WriteFile(path, func(w io.Writer) error {
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
	c := &checkpoint{Recipe: Recipe{GradAccumSteps: 1}, states: map[string]*onnxgraph.Tensor{}} // older ones do not say how many
	f, err := z.Open(descriptionFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(f) // to the end, where the checksum is compared
	if err != nil {
		return nil, fmt.Errorf("%s: %w", descriptionFile, err)
	}
	if err := json.Unmarshal(text, c); err != nil {
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

// source is what decides the course of a run besides its recipe.
type source struct {
	Model         string                `json:"model"` // SHA-256 of the file
	Images        int                   `json:"training_images"`
	TestImages    int                   `json:"test_images"`
	Shape         string                `json:"image_shape"`
	Normalization dataset.Normalization `json:"normalization"`
}

func (r *Run) source() (source, error) {
	data, err := r.Model.Bytes()
	if err != nil {
		return source{}, err
	}
	return source{fmt.Sprintf("%x", sha256.Sum256(data)), r.Train.Len(), r.Test.Len(), r.Train.Shape.String(), r.Normalize}, nil
}

// check lists in what a checkpoint differs from the run that is to go on. The number of epochs may differ:
// the run is then longer or shorter than it was planned.
func (c *checkpoint) check(r Recipe, s source) error {
	r.Epochs = c.Recipe.Epochs
	faults := append(differences(c.Recipe, r), differences(c.Source, s)...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("resuming: the run was started with other settings; repeat it with the same, or start anew in another folder: %w", errors.Join(faults...))
}

// differences lists the fields in which two structs of a type differ, by their names in JSON.
func differences[T any](was, is T) []error {
	var faults []error
	before, after := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range before.NumField() {
		a, b := before.Field(i).Interface(), after.Field(i).Interface()
		if fmt.Sprint(a) != fmt.Sprint(b) { // nil and empty are the same
			faults = append(faults, fmt.Errorf("%s was %v and is now %v", before.Type().Field(i).Tag.Get("json"), a, b))
		}
	}
	return faults
}

// Folder is where a run keeps its files.
type Folder string

func (f Folder) last() string    { return filepath.Join(string(f), "last.ckpt") }
func (f Folder) best() string    { return filepath.Join(string(f), "best.ckpt") }
func (f Folder) metrics() string { return filepath.Join(string(f), "metrics.csv") }

// prepare makes the folder and checks that it can be written to. A folder that holds another run is an
// error unless that is to be resumed.
func (f Folder) prepare(resume bool) error {
	if err := os.MkdirAll(string(f), 0o755); err != nil {
		return fmt.Errorf("making the run's folder: %w", err)
	}
	_, err := os.Stat(f.last())
	switch {
	case resume && err != nil:
		return fmt.Errorf("resuming: %s holds no checkpoint to go on from: %w", f, err)
	case !resume && err == nil:
		return fmt.Errorf("starting a run in %s: it holds another run: resume that with --resume, or choose or empty another folder", f)
	}
	probe, err := os.CreateTemp(string(f), ".write-*")
	if err != nil {
		return fmt.Errorf("checking that the run's folder can be written: %w", err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}
