package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// untie gives every layer constants of its own where the file stores equal ones of several layers once, and tells.
func (p *printer) untie(m *onnxgraph.Model) {
	var names []string
	for _, s := range transform.Separate(m) {
		names = append(names, fmt.Sprintf("%s (now %d)", s.Name, s.Copies))
	}
	if len(names) > 0 {
		p.say("%s stores equal constants of different layers once, as exporters do; now each layer has its own: %s", m.Path(), onnxgraph.Listed(names))
	}
}
