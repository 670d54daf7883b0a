package ort_test

import (
	"fmt"
	"runtime"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

var stepPairs = []ort.Pair{{Input: "w", Output: "w_new"}, {Input: "steps", Output: "steps_new"}, {Input: "kept", Output: "kept_new"}}

// stepSession opens a model with the states w = w - rate·x, steps = steps + one and kept = kept, the
// constant one, the plain inputs x, rate and size, and the plain outputs loss = Σ w·x (no dims), wide, which is kept as
// float32, and resized = w_new in the shape [size], which fails where size is not 3, after the states were written.
func stepSession(t *testing.T) *ort.Session {
	g := newGraph(t)
	w, x := g.input("w", onnxgraph.Float32, 3), g.input("x", onnxgraph.Float32, 3)
	rate, size := g.input("rate", onnxgraph.Float32, 1), g.input("size", onnxgraph.Int64, 1)
	steps, one, kept := g.input("steps", onnxgraph.Int64, 1), g.input("one", onnxgraph.Int64), g.input("kept", onnxgraph.Float16, 1)
	updated := g.op("Sub", w, g.op("Mul", rate, x))
	loss := g.model.Graph.AddNode("ReduceSum", []*onnxgraph.Value{g.op("Mul", w, x)}, onnxgraph.Int("keepdims", 0)).Output(0)
	resized := g.op("Reshape", updated, size)
	g.output("w_new", updated, onnxgraph.Float32, 3)
	g.output("steps_new", g.op("Add", steps, one), onnxgraph.Int64, 1)
	g.output("kept_new", g.op("Identity", kept), onnxgraph.Float16, 1)
	g.output("wide", g.model.Graph.AddNode("Cast", []*onnxgraph.Value{kept}, onnxgraph.Int("to", int64(onnxgraph.Float32))).Output(0), onnxgraph.Float32, 1)
	g.output("loss", loss, onnxgraph.Float32)
	g.output("resized", resized, onnxgraph.Float32, 3)
	return g.open(orttest.Options(t))
}

func stepInitial() tensors {
	return tensors{
		"w":     onnxgraph.NewTensor([]int64{3}, []float32{1, 2, 3}),
		"steps": onnxgraph.NewTensor([]int64{1}, []int64{0}),
		"kept":  onnxgraph.NewRawTensor(onnxgraph.Float16, []int64{1}, []byte{0, 0x3c}), // 1
		"one":   onnxgraph.NewScalar[int64](1),
	}
}

func newStepper(t *testing.T, s *ort.Session) *ort.Stepper {
	t.Helper()
	stepper, err := ort.NewStepper(s, stepPairs, stepInitial())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stepper.Close() })
	return stepper
}

func fill[T onnxgraph.Element](t *testing.T, s *ort.Stepper, name string, data ...T) {
	t.Helper()
	buffer, err := ort.InputData[T](s, name)
	if err != nil {
		t.Fatal(err)
	}
	copy(buffer, data)
}

func outputData[T onnxgraph.Element](t *testing.T, s *ort.Stepper, name string) []T {
	t.Helper()
	data, err := ort.OutputData[T](s, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func stateFloats(t *testing.T, s *ort.Stepper, name string) []float32 {
	t.Helper()
	data, err := ort.StateData[float32](s, name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestStepManyTimes compares with the same arithmetic in Go, collecting garbage all along: memory that
// only ONNX Runtime points to would be reused.
func TestStepManyTimes(t *testing.T) {
	for _, bindEachStep := range []bool{false, true} {
		t.Run(fmt.Sprintf("bindEachStep=%v", bindEachStep), func(t *testing.T) {
			session := stepSession(t)
			if bindEachStep {
				session.BindEachStep()
			}
			s := newStepper(t, session)
			w := []float32{1, 2, 3}
			fill[float32](t, s, "rate", .5)
			fill[int64](t, s, "size", 3)
			for i := range 300 {
				x := []float32{float32(i%3 - 1), float32(i % 2), 1}
				fill(t, s, "x", x...)
				if i%10 == 0 {
					runtime.GC()
					_ = slices.Repeat([]float32{99}, 1<<12)
				}
				if err := s.Step(); err != nil {
					t.Fatal(err)
				}
				var loss float32
				for j := range w {
					loss += w[j] * x[j]
					w[j] -= .5 * x[j]
				}
				wantFloats(t, "loss", outputData[float32](t, s, "loss"), loss)
				wantFloats(t, "resized", outputData[float32](t, s, "resized"), w...)
				wantFloats(t, "w", stateFloats(t, s, "w"), w...)
				wantFloats(t, "kept", outputData[float32](t, s, "wide"), 1)
			}
			steps, err := ort.StateData[int64](s, "steps")
			if err != nil || !slices.Equal(steps, []int64{300}) {
				t.Errorf("steps = %v (%v), want 300", steps, err)
			}
		})
	}
}

func TestFailedStepKeepsStates(t *testing.T) {
	s := newStepper(t, stepSession(t))
	fill[float32](t, s, "x", 1, 1, 1)
	fill[float32](t, s, "rate", 1)
	for range 2 { // from either buffer
		before := stateFloats(t, s, "w")
		fill[int64](t, s, "size", 99)
		wantError(t, s.Step(), "running a step", "Reshape")
		wantFloats(t, "w after the failed step", stateFloats(t, s, "w"), before...)
		fill[int64](t, s, "size", 3)
		if err := s.Step(); err != nil {
			t.Fatal(err)
		}
		wantFloats(t, "w", stateFloats(t, s, "w"), before[0]-1, before[1]-1, before[2]-1)
	}
}

// TestSetStatesResumes continues in a second stepper what a first began.
func TestSetStatesResumes(t *testing.T) {
	session := stepSession(t)
	a, b := newStepper(t, session), newStepper(t, session)
	step := func(s *ort.Stepper) {
		fill[float32](t, s, "x", 1, 2, 3)
		fill[float32](t, s, "rate", .25)
		if err := s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	step(a)
	steps, err := ort.StateData[int64](a, "steps")
	if err != nil {
		t.Fatal(err)
	}
	saved := tensors{
		"w":     onnxgraph.NewTensor([]int64{3}, slices.Clone(stateFloats(t, a, "w"))),
		"steps": onnxgraph.NewTensor([]int64{1}, slices.Clone(steps)),
	}
	step(a)
	step(b) // so that the two are at different buffers
	step(b)
	if err := b.SetStates(saved); err != nil {
		t.Fatal(err)
	}
	step(b)
	wantFloats(t, "resumed w", stateFloats(t, b, "w"), stateFloats(t, a, "w")...)
}

func TestSetStatesChangesAllOrNothing(t *testing.T) {
	s := newStepper(t, stepSession(t))
	err := s.SetStates(tensors{
		"w":     onnxgraph.NewTensor([]int64{3}, []float32{7, 7, 7}),
		"steps": onnxgraph.NewScalar[int64](1),
		"one":   onnxgraph.NewScalar[int64](2),
	})
	wantError(t, err, `input "steps" needs int64[1], got int64[]`, `no state "one"`)
	wantFloats(t, "w", stateFloats(t, s, "w"), 1, 2, 3)
}

func TestStepperDataIsTyped(t *testing.T) {
	s := newStepper(t, stepSession(t))
	_, err := ort.InputData[float64](s, "x")
	wantError(t, err, "float32[3]", "float64")
	_, err = ort.InputData[int64](s, "one")
	wantError(t, err, "not a plain input")
	_, err = ort.OutputData[float32](s, "w_new")
	wantError(t, err, "not a plain output")
	_, err = ort.StateData[float32](s, "x")
	wantError(t, err, `state "x"`)
	_, err = ort.StateData[float32](s, "steps")
	wantError(t, err, "int64[1]", "float32")
}

func TestNewStepperListsAllProblems(t *testing.T) {
	g := newGraph(t)
	w, x, rate := g.input("w", onnxgraph.Float32, 2), g.input("x", onnxgraph.Float32, -1, 2), g.input("rate", onnxgraph.Float32)
	u, v := g.input("u", onnxgraph.Float32, 2), g.input("v", onnxgraph.Float32, 2)
	g.output("y", g.op("Sum", x, w, u, v, rate), onnxgraph.Float32, -1, 2)
	g.output("w_new", g.op("Identity", w), onnxgraph.Float32, 2)
	session := g.open(ort.Options{})
	pairs := []ort.Pair{{"w", "w_new"}, {"u", "w_new"}, {"v", "y"}, {"m", "m_new"}}
	_, err := ort.NewStepper(session, pairs, tensors{
		"w": onnxgraph.NewTensor([]int64{1}, []float32{1}), "z": onnxgraph.NewScalar[int64](1),
	})
	wantError(t, err,
		`state "u": its input or its output "w_new" is in two pairs`, `state "v" is float32[2], but its output "y" is float32[?,2]`,
		`state "m": the model has no such input`, `input "x" is float32[?,2]`, `input "rate" is float32[]`,
		`output "y" is float32[?,2]`, `input "w" needs float32[2], got float32[1]`, `input "u" is missing`, `input "v" is missing`,
		`unknown input "z"`)
}

func TestStepAfterClose(t *testing.T) {
	s := newStepper(t, stepSession(t))
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	wantError(t, s.Step(), "closed")
}

// TestOpenStepper opens a model at once: closing the stepper, twice too, closes what it opened.
func TestOpenStepper(t *testing.T) {
	orttest.Init(t)
	g := newGraph(t)
	x := g.input("x", onnxgraph.Float32, 2)
	g.output("y", g.op("Neg", x), onnxgraph.Float32, 2)
	s, err := ort.OpenStepper(g.model, nil, nil, orttest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	fill(t, s, "x", float32(1), float32(-2))
	if err := s.Step(); err != nil {
		t.Fatal(err)
	}
	if got := outputData[float32](t, s, "y"); !slices.Equal(got, []float32{-1, 2}) {
		t.Errorf("y is %v, want [-1 2]", got)
	}
	for range 2 {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Step(); err == nil {
		t.Error("a closed stepper runs")
	}
	if _, err := ort.OpenStepper(g.model, stepPairs, nil, orttest.Options(t)); err == nil {
		t.Error("a stepper with states that the model has not is opened")
	}
}

// TestStepMemory checks that what steps take is what the values take that are there at once: here a chain of products,
// whose values have large to small sizes, so that no value fits into what another one left.
func TestStepMemory(t *testing.T) {
	peer.All(t)
	orttest.Init(t)
	const first = 1 << 24
	g := newGraph(t)
	v := g.input("x", onnxgraph.Float32, first)
	needed := int64(0)
	for n := int64(first); n > 1<<20; n /= 2 {
		axes := g.constant("axes", onnxgraph.NewTensor([]int64{1}, []int64{0}))
		start := g.constant("start", onnxgraph.NewTensor([]int64{1}, []int64{0}))
		end := g.constant("end", onnxgraph.NewTensor([]int64{1}, []int64{n / 2}))
		v = g.op("Slice", g.op("Exp", v), start, end, axes)
		needed = max(needed, 4*(n+n/2))
	}
	g.output("y", g.op("Neg", v), onnxgraph.Float32, 1<<20)
	s, err := ort.OpenStepper(g.model, nil, nil, orttest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	fill(t, s, "x", make([]float32, first)...) // some kernels count pages that are read, and were never written
	used := orttest.Peak(t, func() {
		for range 3 {
			if err := s.Step(); err != nil {
				t.Fatal(err)
			}
		}
	})
	t.Logf("steps need %d MB, took %d MB", needed/1e6, used/1e6)
	if float64(used) > 1.8*float64(needed) {
		t.Errorf("steps need %d MB, and took %d MB", needed/1e6, used/1e6)
	}
}

// TestStepOfWrongDeclarations opens models that declare their output as it is not: none gives numbers in that shape.
func TestStepOfWrongDeclarations(t *testing.T) {
	orttest.Init(t)
	const isFloat, isInt = onnxgraph.Float32, onnxgraph.Int32
	for _, c := range []struct {
		name  string
		op    string
		dtype onnxgraph.DType
		shape []int64 // of the output, which is float32[2,3]
		ok    bool
	}{
		{"true", "Neg", isFloat, []int64{2, 3}, true},
		{"another order", "Neg", isFloat, []int64{3, 2}, false},
		{"smaller", "Neg", isFloat, []int64{1, 3}, false},
		{"larger", "Neg", isFloat, []int64{4, 3}, false},
		{"another rank", "Neg", isFloat, []int64{6}, false},
		{"no dims", "Neg", isFloat, []int64{}, false},
		{"no numbers", "Neg", isFloat, []int64{0, 3}, false},
		{"a copy in another order", "Identity", isFloat, []int64{3, 2}, false},
		{"another element type", "Neg", isInt, []int64{2, 3}, false},
		{"left open", "Neg", isFloat, []int64{-1, 3}, true}, // ONNX Runtime is asked
	} {
		t.Run(c.name, func(t *testing.T) {
			g := newGraph(t)
			g.output("y", g.op(c.op, g.input("x", isFloat, 2, 3)), c.dtype, c.shape...)
			s, err := ort.OpenStepper(g.model, nil, nil, orttest.Options(t))
			if err == nil {
				defer s.Close()
				fill[float32](t, s, "x", 1, 2, 3, 4, 5, 6)
				err = s.Step()
			}
			switch {
			case !c.ok && err == nil:
				t.Error("a step runs")
			case c.ok && err != nil:
				t.Error(err)
			case c.ok:
				wantFloats(t, "y", outputData[float32](t, s, "y"), -1, -2, -3, -4, -5, -6)
			}
		})
	}
}
