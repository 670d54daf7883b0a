package main

import (
	"errors"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// standardStream is the path that stands for standard input or output.
const standardStream = "-"

// load reads a model from a file, or from standard input.
func (p *printer) load(path string) (*onnxgraph.Model, error) {
	p.loaded = append(p.loaded, plain(path))
	blameForCrash(onnxgraph.Listed(p.loaded))
	if path != standardStream {
		return onnxgraph.Load(path)
	}
	if p.stdinTaken {
		return nil, errors.New("loading standard input: it can be read only once: give the other models as files")
	}
	p.stdinTaken = true
	return onnxgraph.Read(p.stdin, "standard input")
}
