package filterstats

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// Stats are the measures of a model's filters.
type Stats struct {
	Layers   []Layer   `json:"layers"`              // every spatial convolution with known filters, in the order of the model's nodes
	HeatMaps []HeatMap `json:"heat_maps"`           // one for each kernel size
	LeftOut  []LeftOut `json:"left_out"`            // all other nodes that convolve, and frozen blocks that cannot be merged
	AllEqual []string  `json:"all_equal,omitempty"` // names of layers whose weights are all equal: the heat maps leave them out
}

// Layer has the measures of one convolution, or of the combined filters of one frozen block. Measures that are not defined for it
// are nil.
type Layer struct {
	Name      string `json:"name"`                // of the node or block
	Graph     string `json:"graph"`               // the graph that it is in
	Kernel    []int  `json:"kernel"`              // its size along each axis
	Count     int    `json:"filters"`             // filters of all groups
	Channels  int    `json:"channels"`            // that one filter sees
	Kernels   int    `json:"kernels"`             // one for each filter and channel that it sees
	Expansion int    `json:"expansion,omitempty"` // of a frozen block, 0 for a plain convolution

	// SharedWith names the first layer, if this is a later one that reads the same filters from the same constant. Heat maps and
	// Shift count these filters once.
	SharedWith string `json:"shared_with,omitempty"`

	FVE           *float64 `json:"fve"`             // filter variance entropy: see Entropy.FVE
	FVERatio      *float64 `json:"fve_ratio"`       // compared with random kernels: see Entropy.Ratio
	CleanFVE      *float64 `json:"clean_fve"`       // as FVE, without sparse kernels
	CleanFVERatio *float64 `json:"clean_fve_ratio"` // as FVERatio, without sparse kernels
	Sparsity      float64  `json:"sparsity"`        // share of sparse kernels, see Filters.Sparsity
	Orthogonality *float64 `json:"orthogonality"`   // see Filters.Orthogonality

	weight *onnxgraph.Tensor
}

// LeftOut is a node that convolves, or a frozen block, that is not measured, and the reason.
type LeftOut struct {
	Name   string `json:"name"`   // of the node or block
	Graph  string `json:"graph"`  // the graph that it is in
	Reason string `json:"reason"` // why it is not measured
}

// Measure measures the filters of every spatial convolution of a model, also in bodies and functions, and changes nothing.
// progress, if not nil, is called after each convolution with the number of finished ones and of all; if it returns an error,
// Measure stops and returns it. Measure also fails if the model differs from its records of blocks, or if weights cannot be read.
// Convolutions with weights that are NaN or infinite are no error: they are left out.
func Measure(m *onnxgraph.Model, progress func(done, total int) error) (*Stats, error) {
	s, err := measure(m, progress)
	if err != nil {
		return nil, fmt.Errorf("measuring the filters of %s: %w", m.Path(), err)
	}
	return s, nil
}

func measure(m *onnxgraph.Model, progress func(done, total int) error) (*Stats, error) {
	found, err := convolutions(m.Clone())
	if err != nil {
		return nil, err
	}
	r := measurer{stats: Stats{Layers: []Layer{}, LeftOut: []LeftOut{}}}
	for i, c := range found {
		if err := r.take(c); err != nil {
			return nil, fmt.Errorf("convolution %q: %w", c.name, err)
		}
		if progress == nil {
			continue
		}
		if err := progress(i+1, len(found)); err != nil {
			return nil, err
		}
	}
	r.stats.HeatMaps = r.heat.result()
	return &r.stats, nil
}

// measurer gathers the measures of a model.
type measurer struct {
	stats Stats
	heat  heat
	from  []weights.Source // the filters of each of the stats' layers
}

// take measures a convolution, or notes why it is left out.
func (r *measurer) take(c convolution) error {
	var f Filters
	if c.reason == "" {
		var err error
		if f, err = c.load(); err != nil {
			return err
		}
	}
	s := &r.stats
	if c.reason != "" {
		s.LeftOut = append(s.LeftOut, LeftOut{c.name, c.graph, c.reason})
		return nil
	}
	l := Layer{Kernel: f.Kernel, Count: f.Count(), Channels: f.Channels, Kernels: f.Kernels(), weight: c.filters.Tensor}
	if first := r.sharing(c); first != nil {
		l = *first
		l.SharedWith = cmp.Or(first.SharedWith, first.Name)
	} else {
		l.measure(f)
		if !r.heat.add(f) {
			s.AllEqual = append(s.AllEqual, c.name)
		}
	}
	l.Name, l.Graph, l.Expansion = c.name, c.graph, c.expansion
	s.Layers, r.from = append(s.Layers, l), append(r.from, c.filters)
	return nil
}

// sharing returns the first layer that has the filters of c, nil if there is none.
func (r *measurer) sharing(c convolution) *Layer {
	if i := slices.IndexFunc(r.from, c.filters.Equals); i >= 0 {
		return &r.stats.Layers[i]
	}
	return nil
}

// measure fills in the measures.
func (l *Layer) measure(f Filters) {
	all, clean := f.Entropy(), f.withoutSparse().Entropy()
	l.FVE, l.FVERatio, l.CleanFVE, l.CleanFVERatio = all.FVE, all.Ratio, clean.FVE, clean.Ratio
	l.Sparsity, l.Orthogonality = f.Sparsity(), f.Orthogonality()
}

// Filters reads the filters of the layer or, for a frozen block, computes the combined filters. It fails if they cannot be read.
func (l *Layer) Filters() (Filters, error) {
	f, err := filters(l.weight)
	if err != nil {
		return f, fmt.Errorf("reading the filters of %q: %w", l.Name, err)
	}
	return f, nil
}
