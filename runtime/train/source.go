package train

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"reflect"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Source is what decides the result of a run besides its recipe.
type Source struct {
	Model         string                `json:"model"`         // SHA-256 of the file
	TrainingData  string                `json:"training_data"` // Fingerprint
	TestData      string                `json:"test_data"`     // likewise
	Images        int                   `json:"training_images"`
	TestImages    int                   `json:"test_images"`
	Shape         string                `json:"image_shape"`
	Normalization dataset.Normalization `json:"normalization"`
	Provider      ort.Provider          `json:"provider"`
	TF32          bool                  `json:"tf32"`
	Threads       int                   `json:"threads"` // of an operator: sums are rounded otherwise with another number
}

// NewSource returns the source of a run of a model. The error says which data or weights cannot be read.
func NewSource(m *onnxgraph.Model, training, test *dataset.Dataset, n dataset.Normalization, session ort.Options) (Source, error) {
	data, err := m.Bytes()
	if err != nil {
		return Source{}, err
	}
	s := Source{
		Model: fmt.Sprintf("%x", sha256.Sum256(data)), Images: training.Len(), TestImages: test.Len(), Shape: training.Shape.String(),
		Normalization: n, Provider: session.Provider, TF32: session.TF32, Threads: session.Threads(),
	}
	if s.TrainingData, err = training.Fingerprint(); err == nil {
		s.TestData, err = test.Fingerprint()
	}
	return s, err
}

// check lists in what a checkpoint differs from the run that is to go on. The number of epochs may differ:
// the run is then longer or shorter than it was planned.
func (c *checkpoint) check(r Recipe, s Source) error {
	r.Epochs = c.Recipe.Epochs
	faults := append(Differences(c.Recipe, r), Differences(c.Source, s)...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("resuming: the run was started with other settings; use the same settings again, or start a new run in another folder: %w", errors.Join(faults...))
}

// Differences lists the fields in which two structs of a type differ, by their names in JSON.
func Differences[T any](was, is T) []error {
	var faults []error
	before, after := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range before.NumField() {
		name := before.Type().Field(i).Tag.Get("json")
		a, b := fmt.Sprint(before.Field(i).Interface()), fmt.Sprint(after.Field(i).Interface()) // nil and empty are the same
		if name != "-" && a != b {
			a, b = brief(a), brief(b)
			if a == b {
				b = "another"
			}
			faults = append(faults, fmt.Errorf("%s was %s and is now %s", name, a, b))
		}
	}
	return faults
}

// brief cuts a text short, such as a hash or a long list.
func brief(text string) string {
	const length = 48
	if runes := []rune(text); len(runes) > length {
		return string(runes[:length/4]) + "…"
	}
	return text
}
