package rcfreeze

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/internal/figures"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// ParameterCount counts the parameters of a model by kind.
type ParameterCount struct {
	Trainable  int64 `json:"trainable"`  // weights, biases, scales and shifts
	Bank       int64 `json:"bank"`       // in the banks of frozen blocks
	Statistics int64 `json:"statistics"` // running means and variances
}

// CountParameters counts the parameters of a model.
func CountParameters(m *Model) (ParameterCount, error) {
	var c ParameterCount
	all, err := parameter.List(m)
	if err != nil {
		return c, err
	}
	for _, p := range all {
		n := p.Value.Constant().Len()
		switch {
		case p.Role.Trains():
			c.Trainable += n
		case p.Role == parameter.RoleBank:
			c.Bank += n
		case p.Role != parameter.RoleConstant:
			c.Statistics += n
		}
	}
	return c, nil
}

// String returns the counts in words.
func (c ParameterCount) String() string {
	return fmt.Sprintf("%s trainable parameters, %s in banks, %s running statistics", figures.Count(c.Trainable), figures.Count(c.Bank), figures.Count(c.Statistics))
}
