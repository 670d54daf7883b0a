package cuda_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/internal/cuda"
)

type value = *onnxgraph.Value

// net is a graph in the making, and what its inputs hold.
type net struct {
	*onnxgraph.Builder
	t    *testing.T
	data map[string]*onnxgraph.Tensor
}

func (n *net) input(dims ...int64) value {
	name := fmt.Sprint("x", len(n.data))
	v, err := n.Graph.AddInput(name, onnxgraph.Float32, onnxgraph.Static(dims...))
	if err != nil {
		n.t.Fatal(err)
	}
	n.data[name] = convcases.Draw(onnxgraph.Float32, uint64(len(n.data)), dims...)
	return v
}

// static declares the shape of a value.
func static(v value, dims ...int64) value {
	v.SetType(onnxgraph.Float32, onnxgraph.Static(dims...))
	return v
}

// reduced is a reduction of [2, 3, 4, 5] to a number per channel.
func (n *net) reduced(op string, keep int64, axes ...int64) value {
	dims := []int64{3}
	if keep == 1 {
		dims = []int64{1, 3, 1, 1}
	}
	return static(n.Op(op, []value{n.input(2, 3, 4, 5), n.Ints(axes...)}, onnxgraph.Int("keepdims", keep)), dims...)
}

// joined is a vector of parts of the given sizes, each of them a matrix of two rows before.
func (n *net) joined(sizes ...int64) value {
	var parts []value
	total := int64(0)
	for _, s := range sizes {
		parts = append(parts, static(n.Op("Reshape", []value{n.input(2, s/2), n.Ints(s)}), s))
		total += s
	}
	return static(n.Op("Concat", parts, onnxgraph.Int("axis", 0)), total)
}

// parts splits a vector; the first part is read as a matrix of two rows.
func (n *net) parts(sizes ...int64) []value {
	total := int64(0)
	for _, s := range sizes {
		total += s
	}
	parts := slices.Clone(n.Ops("Split", len(sizes), []value{n.input(total), n.Ints(sizes...)}, onnxgraph.Int("axis", 0)))
	for i, s := range sizes {
		static(parts[i], s)
	}
	parts[0] = static(n.Op("Reshape", []value{parts[0], n.Ints(2, sizes[0]/2)}), 2, sizes[0]/2)
	return parts
}

// TestSameNumbers runs graphs as they are and lowered; those that have nothing slow stay as they are.
func TestSameNumbers(t *testing.T) {
	for _, c := range []struct {
		name    string
		changes bool
		build   func(n *net) []value
	}{
		{"sum, dims kept", true, func(n *net) []value { return []value{n.reduced("ReduceSum", 1, 0, 2, 3)} }},
		{"sum", true, func(n *net) []value { return []value{n.reduced("ReduceSum", 0, 0, 2, 3)} }},
		{"mean, dims kept", true, func(n *net) []value { return []value{n.reduced("ReduceMean", 1, 0, 2, 3)} }},
		{"mean", true, func(n *net) []value { return []value{n.reduced("ReduceMean", 0, 0, 2, 3)} }},
		{"sum over other axes", false, func(n *net) []value {
			return []value{static(n.Op("ReduceSum", []value{n.input(2, 3, 4, 5), n.Ints(0, 2)}), 1, 3, 1, 5)}
		}},
		{"sum of a sequence", true, func(n *net) []value {
			return []value{static(n.Op("ReduceSum", []value{n.input(2, 3, 4), n.Ints(0, 2)}), 1, 3, 1)}
		}},
		{"mean of a matrix", false, func(n *net) []value {
			return []value{static(n.Op("ReduceMean", []value{n.input(2, 3), n.Ints(0)}), 1, 3)}
		}},
		{"sum over computed axes", false, func(n *net) []value {
			axes := n.Op("Cast", []value{n.Op("Floor", []value{n.Op("Mul", []value{n.input(3), n.Fill(onnxgraph.Float32, 0, 3)})})}, onnxgraph.Int("to", int64(onnxgraph.Int64)))
			axes = n.Op("Add", []value{axes, n.Ints(0, 2, 3)})
			return []value{static(n.Op("ReduceSum", []value{n.input(2, 3, 4, 5), axes}), 1, 3, 1, 1)}
		}},
		{"sum over all axes", false, func(n *net) []value { return []value{static(n.Op("ReduceSum", []value{n.input(2, 3, 4)}), 1, 1, 1)} }},
		{"sum of unknown shape", false, func(n *net) []value {
			return []value{n.Op("ReduceSum", []value{n.input(2, 3, 4, 5), n.Ints(0, 2, 3)})}
		}},
		{"sum that is an output", false, func(n *net) []value {
			y := n.reduced("ReduceSum", 1, 0, 2, 3)
			n.Graph.AddOutput(y, onnxgraph.Float32, onnxgraph.Static(1, 3, 1, 1))
			return []value{y}
		}},
		{"joined, just long enough, in the narrowest rows", true, func(n *net) []value { return []value{n.joined(4080, 8, 8)} }},
		{"joined, just too short", false, func(n *net) []value { return []value{n.joined(4080, 8, 6)} }},
		{"joined, rows too narrow", false, func(n *net) []value { return []value{n.joined(4096, 4, 8)} }},
		{"joined, as they come, the last filled up", true, func(n *net) []value {
			return []value{static(n.Op("Concat", []value{n.input(4096), n.input(64)}, onnxgraph.Int("axis", 0)), 4160)}
		}},
		{"joined matrices", false, func(n *net) []value {
			return []value{static(n.Op("Concat", []value{n.input(4096, 2), n.input(64, 2)}, onnxgraph.Int("axis", 0)), 4160, 2)}
		}},
		{"joined in rows", true, func(n *net) []value { return []value{n.joined(4096, 64, 128)} }},
		{"joined in rows, the last filled up", true, func(n *net) []value { return []value{n.joined(4096, 64, 10)} }},
		{"joined, sizes without a common part", false, func(n *net) []value { return []value{n.joined(4096, 10, 64)} }},
		{"joined, short", false, func(n *net) []value { return []value{n.joined(64, 64)} }},
		{"split in rows", true, func(n *net) []value { return n.parts(4096, 64, 128) }},
		{"split in rows, the last one cut", true, func(n *net) []value { return n.parts(4096, 64, 10) }},
		{"split in rows, a part whose Reshape keeps a dim", true, func(n *net) []value {
			parts := n.parts(4096, 64, 128)
			parts[1] = static(n.Op("Reshape", []value{parts[1], n.Ints(0, 1)}), 64, 1)
			return parts
		}},
		{"split in rows, the last one cut and reshaped", true, func(n *net) []value {
			parts := n.parts(4096, 64, 10)
			parts[2] = static(n.Op("Reshape", []value{parts[2], n.Ints(2, 5)}), 2, 5)
			return parts
		}},
		{"split in rows, a part that others read before a Reshape does", true, func(n *net) []value {
			parts := n.parts(4096, 64, 128)
			negative := static(n.Op("Neg", []value{parts[1]}), 64)
			parts[1] = static(n.Op("Reshape", []value{parts[1], n.Ints(8, 8)}), 8, 8)
			return append(parts, negative)
		}},
		{"split in rows, a part whose Reshape gives what nobody declares", true, func(n *net) []value {
			parts := n.parts(4096, 64, 128)
			sizes := n.Op("Cast", []value{n.Op("Abs", []value{n.Op("Sub", []value{parts[1], parts[1]})})}, onnxgraph.Int("to", int64(onnxgraph.Int64)))
			sizes = n.Op("Add", []value{n.Op("Slice", []value{sizes, n.Ints(0), n.Ints(2), n.Ints(0)}), n.Ints(8, 8)})
			return append(parts, n.Op("Reshape", []value{parts[1], sizes}))
		}},
		{"split, a part without elements", false, func(n *net) []value { return n.parts(4096, 0, 64)[:1] }},
		{"joined, whole numbers", false, func(n *net) []value {
			number := func(v value) value {
				v.SetType(onnxgraph.Int64, onnxgraph.Static(4096))
				return v
			}
			cast := func(v value, to onnxgraph.DType) value {
				return n.Op("Cast", []value{v}, onnxgraph.Int("to", int64(to)))
			}
			part := number(cast(n.input(4096), onnxgraph.Int64))
			both := n.Op("Concat", []value{part, part}, onnxgraph.Int("axis", 0))
			both.SetType(onnxgraph.Int64, onnxgraph.Static(8192))
			return []value{cast(both, onnxgraph.Float32)}
		}},
		{"split, sizes without a common part", false, func(n *net) []value { return n.parts(4096, 10, 64) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := onnxgraph.New("net", 8, 18)
			n := &net{onnxgraph.NewBuilder(m.Graph), t, map[string]*onnxgraph.Tensor{}}
			for i, v := range c.build(n) {
				y := n.Op("Mul", []value{v, n.Fill(onnxgraph.Float32, float64(i+2))}) // an output would stay as it is
				m.Graph.AddOutput(y, onnxgraph.Float32, nil)
			}
			want := orttest.Run(t, m, n.data)
			before := ops(m)
			cuda.Lower(m)
			if changed := !slices.Equal(ops(m), before); changed != c.changes {
				t.Errorf("operators are %v and were %v", ops(m), before)
			}
			if c.changes {
				checkQuick(t, m)
			}
			if filled := slices.Contains(ops(m), "Pad"); filled != (c.changes && strings.Contains(c.name, "the last")) {
				t.Errorf("a last row is filled up: %v, in %v", filled, ops(m))
			}
			declared := map[string][]int64{} // shapes, on which passes behind this one rely
			for _, node := range m.Graph.Nodes() {
				for _, v := range node.Outputs() {
					if shape, ok := v.StaticShape(); ok && !v.IsOutput() {
						declared[v.Name()] = shape
						m.Graph.AddOutput(v, v.DType(), onnxgraph.Static(shape...))
					}
				}
			}
			for name, got := range orttest.Run(t, m, n.data) {
				if want[name] != nil {
					compare(t, got, want[name])
				} else if !slices.Equal(got.Dims(), declared[name]) {
					t.Errorf("%s has dims %v, but %v are declared", name, got.Dims(), declared[name])
				}
			}
		})
	}
}

// checkQuick checks that nothing is left that is slow: a list of vectors, a sum over axes that do not lie together, or a Reshape
// of what a Reshape gives.
func checkQuick(t *testing.T, m *onnxgraph.Model) {
	t.Helper()
	for _, n := range m.Graph.Nodes() {
		shape, known := n.Output(0).StaticShape()
		switch {
		case n.Is("Concat") || n.Is("Split"):
			if len(shape) == 1 {
				t.Errorf("%s still handles vectors", n)
			}
		case n.Is("ReduceSum") || n.Is("ReduceMean"):
			axes, err := n.Input(1).Constant().Int64s()
			if err != nil || axes[0] == 0 && len(axes) > 1 {
				t.Errorf("%s still is over the axes %v, %v", n, axes, err)
			}
		case n.Is("Reshape") && known:
			if from := n.Input(0).Producer(); from != nil && from.Is("Reshape") {
				t.Errorf("%s reads %s", n, from)
			}
		}
	}
}

func ops(m *onnxgraph.Model) []string {
	var ops []string
	for _, n := range m.Graph.Nodes() {
		ops = append(ops, n.OpType())
	}
	return ops
}

func compare(t *testing.T, got, want *onnxgraph.Tensor) {
	t.Helper()
	if !slices.Equal(got.Dims(), want.Dims()) {
		t.Fatalf("shape is %v, want %v", got.Dims(), want.Dims())
	}
	g, err := got.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	w, err := want.Float32s()
	if err != nil {
		t.Fatal(err)
	}
	for i := range w {
		if math.Abs(float64(g[i]-w[i])) > 1e-5*max(1, math.Abs(float64(w[i]))) {
			t.Fatalf("element %d is %v, want %v", i, g[i], w[i])
		}
	}
}
