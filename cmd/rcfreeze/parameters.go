package main

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// parameterCount is how many numbers of a model are of which kind.
type parameterCount struct {
	Trainable  int64 `json:"trainable"`
	Bank       int64 `json:"bank"`       // in the banks of frozen blocks
	Statistics int64 `json:"statistics"` // running means and variances
}

func countParameters(m *onnxgraph.Model) (parameterCount, error) {
	var c parameterCount
	all, err := transform.Parameters(m)
	if err != nil {
		return c, err
	}
	for _, p := range all {
		n := p.Value.Constant().Len()
		switch {
		case p.Role.Trains():
			c.Trainable += n
		case p.Role == transform.RoleBank:
			c.Bank += n
		case p.Role != transform.RoleConstant:
			c.Statistics += n
		}
	}
	return c, nil
}

func (c parameterCount) String() string {
	return fmt.Sprintf("%s trainable parameters, %s in banks, %s running statistics", count(c.Trainable), count(c.Bank), count(c.Statistics))
}
