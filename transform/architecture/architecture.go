// Package architecture builds reference CNNs as ONNX models that can be trained from scratch.
package architecture

import (
	"fmt"
	"strings"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Architecture is one kind of network.
type Architecture struct {
	Name     string  // the name to pass to New
	Doc      string  // one line for lists and help texts
	Defaults Options // what New uses for options that are zero

	depth, width domain // valid values of these options
	minImage     int    // the smallest image height and width, in pixels
	build        func(n *network, image featureMaps, o Options) featureMaps
}

// architectures lists every kind of network. To add one, write a file with a value like these.
var architectures = []Architecture{cifarResNet, vgg, leNet}

// All returns every kind of network.
func All() []Architecture { return append([]Architecture(nil), architectures...) }

// Names returns the names of all kinds of network.
func Names() []string {
	var names []string
	for _, a := range architectures {
		names = append(names, a.Name)
	}
	return names
}

// New returns the named network as a model of opset 18 and IR version 8. Its input "input" takes float32 images [batch, channels,
// height, width], its output "logits" is [batch, classes], and the batch size is open. Layers and parameters have the names of
// PyTorch's modules and parameters ("layer1.0.conv1.weight"). They start from PyTorch's default initialization, drawn from the
// seed: equal options give equal bits on every platform. BatchNormalization is in its inference form.
//
// New fails if no architecture has that name, or if options are invalid; the error lists all of them.
func New(name string, o Options) (*onnxgraph.Model, error) {
	for _, a := range architectures {
		if a.Name == name {
			m, err := a.new(o.or(a.Defaults))
			if err != nil {
				return nil, fmt.Errorf("building %s: %w", name, err)
			}
			return m, nil
		}
	}
	return nil, fmt.Errorf("building a network: no architecture is named %q; choose one of %s", name, strings.Join(Names(), ", "))
}

func (a Architecture) new(o Options) (*onnxgraph.Model, error) {
	if err := o.check(a); err != nil {
		return nil, err
	}
	m := onnxgraph.New(a.Name, 8, 18)
	batch := onnxgraph.Dim{Size: -1, Param: "batch"}
	shape := onnxgraph.Static(0, int64(o.Channels), int64(o.ImageHeight), int64(o.ImageWidth))
	shape[0] = batch
	input, err := m.Graph.AddInput("input", onnxgraph.Float32, shape)
	if err != nil {
		return nil, err
	}
	n := &network{graph: m.Graph, seed: o.Seed}
	logits := a.build(n, featureMaps{input, o.Channels, o.ImageHeight, o.ImageWidth}, o)
	if n.err != nil {
		return nil, n.err
	}
	m.Graph.Rename(logits.value, "logits")
	m.Graph.AddOutput(logits.value, onnxgraph.Float32, []onnxgraph.Dim{batch, {Size: int64(o.Classes)}})
	return m, nil
}
