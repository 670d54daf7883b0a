package onnxgraph

import "testing"

// TestLabel tells of nodes by what they have.
func TestLabel(t *testing.T) {
	m := New("net", 8, 18)
	n := m.Graph.AddNode("Relu", []*Value{nil})
	for _, c := range []struct {
		name, output string
		absent       bool
		want         string
	}{{"relu", "y", false, "relu"}, {"", "y", false, "y"}, {"relu", "", true, "relu"}, {"", "", true, ""}} {
		n.Rename(c.name)
		if c.absent {
			n.outputs[0] = nil
		} else {
			m.Graph.Rename(n.Output(0), c.output)
		}
		if got := n.Label(); got != c.want {
			t.Errorf("%+v: got %q", c, got)
		}
	}
}
