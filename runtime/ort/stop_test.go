package ort_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// TestRunStops stops a model that would run for ever, and runs it on after that for few turns.
func TestRunStops(t *testing.T) {
	orttest.Init(t)
	c := convcases.Cases[0]
	m := convcases.Nest(c.Model(), convcases.Places[2])
	loop := m.Graph.Nodes()[0]
	if !loop.Is("Loop") {
		t.Fatalf("the model begins with %s, not with a Loop", loop)
	}
	turns, err := m.Graph.AddInput("turns", onnxgraph.Int64, []onnxgraph.Dim{})
	if err != nil {
		t.Fatal(err)
	}
	loop.SetInput(0, turns)
	s, err := ort.OpenModel(m, ort.Options{IntraOpThreads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	inputs := tensors{convcases.X: c.Data(), "turns": onnxgraph.NewScalar[int64](1 << 60)}
	ctx, stop := context.WithCancel(t.Context())
	time.AfterFunc(10*time.Millisecond, stop)
	if _, err := s.RunContext(ctx, inputs); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped while it runs: %v", err)
	}
	if _, err := s.RunContext(ctx, inputs); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped before it runs: %v", err)
	}
	inputs["turns"] = onnxgraph.NewScalar[int64](1)
	if _, err := s.RunContext(t.Context(), inputs); err != nil {
		t.Errorf("not stopped: %v", err)
	}
}
