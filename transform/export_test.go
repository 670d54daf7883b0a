package transform

import "github.com/rcfreeze/rcfreeze/onnxgraph"

// Workspace returns how many bytes converting all blocks of m takes at once.
func Workspace(m *onnxgraph.Model, o Options) (size int64, err error) {
	candidates, err := prepare(m, o.WithDefaults())
	for _, c := range candidates {
		if c.row.Status != Skipped {
			size += c.workspace()
		}
	}
	return size, err
}
