package rcfreeze

import (
	"encoding/json"
	"fmt"

	"github.com/rcfreeze/rcfreeze/runtime/dataset"
)

// The keys of a model's metadata that describe its images and outputs. Package transform has the keys for frozen blocks.
const (
	normalizeKey = "rcfreeze.normalize" // a normalization as JSON
	classesKey   = "rcfreeze.classes"   // the names of the classes in the order of the outputs, as a JSON list
)

// Describe records in the metadata of m how its images are normalized and, unless classes is nil, the names of its classes, in
// the order of its outputs. It replaces what was recorded before. Evaluate, Predict, Train and the other functions use what it
// records.
func Describe(m *Model, n dataset.Normalization, classes []string) error {
	if err := record(m, normalizeKey, n); err != nil || classes == nil {
		return err
	}
	return record(m, classesKey, classes)
}

// record stores a value as JSON in the model's metadata.
func record(m *Model, key string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return fmt.Errorf("recording %s: %w", key, err)
	}
	m.SetMetadata(key, string(text))
	return nil
}

// Classes returns the names of the classes that the model records, in the order of its outputs; nil if it records none. It fails
// if the record is damaged.
func Classes(m *Model) ([]string, error) {
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

// Normalization returns the normalization of images that the model records; ok is false if it records none. It fails if the
// record is damaged.
func Normalization(m *Model) (n dataset.Normalization, ok bool, err error) {
	text := m.Metadata(normalizeKey)
	if text == "" {
		return n, false, nil
	}
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return n, false, fmt.Errorf("reading the normalization that %s records: %w: give --mean and --std", m.Path(), err)
	}
	return n, true, nil
}
