package transformtest

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Apply runs a pass on a model, and checks what every pass promises: after an error, the model is as it was. Otherwise, if it
// was valid, it still is, it can be saved, and the saved model can be loaded. Apply returns the pass's error.
func Apply(t *testing.T, m *onnxgraph.Model, pass func(m *onnxgraph.Model) error) error {
	t.Helper()
	sound, before := m.Validate() == nil, content(m)
	if err := pass(m); err != nil {
		if content(m) != before {
			t.Errorf("the pass failed and changed the model; its error is: %v", err)
		}
		return err
	}
	if !sound {
		return nil
	}
	if err := m.Validate(); err != nil {
		t.Errorf("after the pass, the model is not valid: %v", err)
	}
	data, err := m.Bytes()
	if err != nil {
		t.Errorf("after the pass, the model cannot be saved: %v", err)
	} else if _, err := onnxgraph.Parse(data, "the model after the pass"); err != nil {
		t.Errorf("after the pass, the saved model cannot be loaded: %v", err)
	}
	return nil
}

// content returns the model as a file; or, if it cannot be saved since numbers are gone, its nodes, constants and metadata.
func content(m *onnxgraph.Model) string {
	if data, err := m.Bytes(); err == nil {
		return string(data)
	}
	var b strings.Builder
	for _, g := range m.Graphs() {
		for _, n := range g.Nodes() {
			fmt.Fprintln(&b, n, n.Domain(), n.Attributes(), n.Inputs(), n.Outputs())
		}
		for _, v := range g.Initializers() {
			fmt.Fprintln(&b, v.Name(), v.DType())
		}
	}
	for _, key := range m.MetadataKeys() {
		fmt.Fprintln(&b, key, m.Metadata(key))
	}
	return b.String()
}
