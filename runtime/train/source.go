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

// Source holds everything except the recipe that determines the result of a run.
type Source struct {
	Model         string                `json:"model"`         // SHA-256 of the file
	TrainingData  string                `json:"training_data"` // Fingerprint
	TestData      string                `json:"test_data"`     // likewise
	Images        int                   `json:"training_images"`
	TestImages    int                   `json:"test_images"`
	Limit         int                   `json:"limit"` // how many images of each split are used at most, 0 for all
	Shape         string                `json:"image_shape"`
	Normalization dataset.Normalization `json:"normalization"`
	Provider      ort.Provider          `json:"provider"`
	TF32          bool                  `json:"tf32"`
	Threads       int                   `json:"threads"` // threads of an operator, because they change the rounding of sums
}

// NewSource returns the Source of a run. It fails if data or weights cannot be read.
func NewSource(m *onnxgraph.Model, training, test *dataset.Dataset, n dataset.Normalization, session ort.Options) (Source, error) {
	data, err := m.Bytes()
	if err != nil {
		return Source{}, err
	}
	s := Source{
		Model: fmt.Sprintf("%x", sha256.Sum256(data)), Images: training.Len(), TestImages: test.Len(), Limit: training.Limit, Shape: training.Shape.String(),
		Normalization: n, Provider: session.Provider, TF32: session.TF32, Threads: session.Threads(),
	}
	if s.TrainingData, err = training.Fingerprint(); err == nil {
		s.TestData, err = test.Fingerprint()
	}
	return s, err
}

// check returns an error that lists the differences between a checkpoint and the run that continues from it. The number of epochs
// may differ: the run then becomes longer or shorter than first planned.
func (c *checkpoint) check(r Recipe, s Source) error {
	r.Epochs = c.Recipe.Epochs
	faults := append(Differences(c.Recipe, r), Differences(c.Source, s)...)
	if len(faults) == 0 {
		return nil
	}
	return fmt.Errorf("resuming: the run was started with other settings; use the same settings again, or start a new run in another folder: %w", errors.Join(faults...))
}

// Differences returns an error for each field in which two structs of one type differ, with the field's JSON name.
func Differences[T any](was, is T) []error {
	var faults []error
	before, after := reflect.ValueOf(was), reflect.ValueOf(is)
	for i := range before.NumField() {
		name := before.Type().Field(i).Tag.Get("json")
		a, b := fmt.Sprint(before.Field(i).Interface()), fmt.Sprint(after.Field(i).Interface()) // so that nil equals empty
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

// brief shortens a text such as a hash or a long list.
func brief(text string) string {
	const length = 48
	if runes := []rune(text); len(runes) > length {
		return string(runes[:length/4]) + "…"
	}
	return text
}
