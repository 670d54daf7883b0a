package main

import (
	"encoding/json"
	"fmt"

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
	Mean []float64 `json:"mean"`
	Std  []float64 `json:"std"`
}

// describe records in the model how its images were normalized and what its outputs mean.
func describe(m *onnxgraph.Model, n dataset.Normalization, classes []string) error {
	for _, entry := range []struct {
		key   string
		value any
	}{{normalizeKey, normalization(n)}, {classesKey, classes}} {
		text, err := json.Marshal(entry.value)
		if err != nil {
			return fmt.Errorf("recording %s: %w", entry.key, err)
		}
		m.SetMetadata(entry.key, string(text))
	}
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
