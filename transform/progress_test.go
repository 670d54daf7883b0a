package transform_test

import (
	"errors"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestProgress watches what projects, and ends it: every convolution is told of once, and none after the end.
func TestProgress(t *testing.T) {
	const convolutions = 6
	path := filepath.Join(t.TempDir(), "wide.onnx")
	saveWide(t, path, convolutions, 4)
	for name, work := range map[string]func(*onnxgraph.Model, transform.Options) error{
		"convert": func(m *onnxgraph.Model, o transform.Options) error { return second(transform.Convert(m, o)) },
		"plan": func(m *onnxgraph.Model, o transform.Options) error {
			o.MaxError = 0.5
			return second(transform.Plan(m, o))
		},
		"choices": func(m *onnxgraph.Model, o transform.Options) error { return second(transform.PlanChoices(m, o)) },
	} {
		for _, last := range []int{3, convolutions + 1} {
			m, err := onnxgraph.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			stop := errors.New("enough")
			var told []int
			err = work(m, transform.Options{Progress: func(done, total int) error {
				if told = append(told, done); total != convolutions {
					t.Errorf("%s: told of %d convolutions, want %d", name, total, convolutions)
				}
				if done == last {
					return stop
				}
				return nil
			}})
			want := []int{1, 2, 3, 4, 5, 6}[:min(last, convolutions)]
			if !slices.Equal(told, want) || errors.Is(err, stop) != (last < convolutions) {
				t.Errorf("%s, ended after %d: told %v, error %v", name, last, told, err)
			}
		}
	}
}

func second[T any](_ T, err error) error { return err }
