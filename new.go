package rcfreeze

import (
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// NewOptions set the size of a reference architecture. Zeros mean its defaults.
type NewOptions struct {
	architecture.Options // size, and the seed of the weights
	Output               Output
	Reporter
}

// Built is the result of New.
type Built struct {
	Architecture string         `json:"architecture"` // its name, of architecture.Names
	Output       string         `json:"output"`       // as Output.Name returns it
	Parameters   ParameterCount `json:"parameters"`
	Model        *Model         `json:"-"` // the new one
}

// New builds a reference architecture, one of architecture.Names, with random weights that depend on the seed. Another name, or a
// size that the architecture cannot have, gives an *OptionsError.
func New(name string, o NewOptions) (*Built, error) {
	if err := o.Output.Check(); err != nil {
		return nil, err
	}
	m, err := architecture.New(name, o.Options)
	if err != nil {
		return nil, options(err)
	}
	b := &Built{Architecture: name, Output: o.Output.Name(), Model: m}
	if b.Parameters, err = CountParameters(m); err != nil {
		return nil, err
	}
	if err := o.Output.save(o.Reporter, m, nil); err != nil {
		return nil, err
	}
	return b, nil
}
