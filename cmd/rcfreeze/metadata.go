package main

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// The keys of a model's metadata that say how it was trained.
const (
	normalizeKey = "rcfreeze.normalize" // a normalization as JSON
	classesKey   = "rcfreeze.classes"   // the names of the classes in label order, as a JSON list
)

// normalization is a dataset.Normalization as JSON, in a model's metadata and in results.
type normalization struct {
	Mean     []float64 `json:"mean"`
	Std      []float64 `json:"std"`
	Channels string    `json:"channels,omitempty"` // bgr, or empty for rgb and gray
}

// String says what a model takes for pixels.
func (n normalization) String() string {
	text := "none: pixels from 0 to 1"
	if n.Mean != nil {
		text = fmt.Sprintf("mean %s, standard deviation %s, of pixels from 0 to 1", significant(n.Mean), significant(n.Std))
	}
	if n.Channels != "" {
		text += ", channels " + n.Channels
	}
	return text
}

// significant writes numbers with four digits, one if all are the same.
func significant(list []float64) string {
	return fractions(slices.Compact(slices.Clone(list))).over(1)
}

// describe records in the model how its images are normalized and, unless that is nil, what its outputs mean.
func describe(m *onnxgraph.Model, n dataset.Normalization, classes []string) error {
	if err := record(m, normalizeKey, normalization(n)); err != nil || classes == nil {
		return err
	}
	return record(m, classesKey, classes)
}

// record keeps a value as JSON in the model's metadata.
func record(m *onnxgraph.Model, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("recording %s: %w", key, err)
	}
	m.SetMetadata(key, string(text))
	return nil
}

// recordedClasses returns the names of the classes in the order of the model's outputs that describe recorded, nil if
// none are.
func recordedClasses(m *onnxgraph.Model) ([]string, error) {
	text := m.Metadata(classesKey)
	if text == "" {
		return nil, nil
	}
	var names []string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("reading the class names that %s records: %w: give --classes", m.Path(), err)
	}
	return names, nil
}

// recordedNormalization returns what describe recorded; ok is false if nothing is.
func recordedNormalization(m *onnxgraph.Model) (n dataset.Normalization, ok bool, err error) {
	text := m.Metadata(normalizeKey)
	if text == "" {
		return n, false, nil
	}
	var recorded normalization
	if err := json.Unmarshal([]byte(text), &recorded); err != nil {
		return n, false, fmt.Errorf("reading the normalization that %s records: %w: give --mean and --std", m.Path(), err)
	}
	return dataset.Normalization(recorded), true, nil
}
