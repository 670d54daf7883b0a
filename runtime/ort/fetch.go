package ort

import (
	"context"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"
)

// fetch runs the model and returns the values of outputs, at least of the wanted ones. The caller must destroy the values.
//
// ONNX Runtime allocates outputs, unless the wrapper cannot take over their memory: types that are not Go types, and scalars. An
// output of unknown rank counts as a scalar until a run shows that it is not.
func (s *Session) fetch(ctx context.Context, feeds []capi.Value, wanted []Port) ([]Port, []capi.Value, error) {
	if len(s.inputs) == 0 { // the wrapper runs a model without inputs only through a binding
		values, err := s.fetchBound(feeds, wanted)
		return wanted, values, err
	}
	fetches := s.readableOutputs()
	values, err := s.fetchAll(ctx, feeds, fetches)
	if err != nil && ctx.Err() == nil && s.learnRanks(feeds, fetches) {
		values, err = s.fetchAll(ctx, feeds, fetches)
	}
	return fetches, values, err
}

// readableOutputs returns the outputs that the session was created to return.
func (s *Session) readableOutputs() []Port {
	var ports []Port
	for _, p := range s.outputs {
		if readable(p) == nil {
			ports = append(ports, p)
		}
	}
	return ports
}

func (s *Session) fetchAll(ctx context.Context, feeds []capi.Value, fetches []Port) ([]capi.Value, error) {
	values := make([]capi.Value, len(fetches))
	for i, p := range fetches {
		_, isNative := natives[p.DType]
		if isNative && !s.maybeScalar(p) || !p.isStatic() && len(p.Shape) > 0 {
			continue // ONNX Runtime allocates it
		}
		b, err := newPortBuffer(p)
		if err != nil {
			destroy(values)
			return nil, err
		}
		values[i] = b.value
	}
	err := interruptible(ctx, func(o *capi.RunOptions) error { return s.core.RunWithOptions(feeds, values, o) })
	if err != nil {
		destroy(values)
		return nil, err
	}
	return values, nil
}

// interruptible calls run with options that stop ONNX Runtime when ctx is done.
func interruptible(ctx context.Context, run func(*capi.RunOptions) error) error {
	if ctx.Done() == nil {
		return run(nil)
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	options, err := capi.NewRunOptions()
	if err != nil {
		return err
	}
	defer options.Destroy()
	told := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		options.Terminate()
		close(told)
	})
	err = run(options)
	if !stop() {
		<-told // before the options are destroyed
	}
	return err
}

// maybeScalar reports whether to read an output as a scalar.
func (s *Session) maybeScalar(p Port) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(p.Shape) == 0 && !s.hasDims[p.Name]
}

// learnRanks finds out which outputs of unknown rank are not scalars: it runs the model for each of them alone. It reports
// whether it found new ones.
func (s *Session) learnRanks(feeds []capi.Value, fetches []Port) bool {
	learned := false
	for _, p := range fetches {
		if !s.maybeScalar(p) {
			continue
		}
		values, err := s.fetchBound(feeds, []Port{p})
		destroy(values)
		if err != nil {
			s.mu.Lock()
			s.hasDims[p.Name] = true
			s.mu.Unlock()
			learned = true
		}
	}
	return learned
}

// fetchBound runs the model only for the given outputs, whose shapes must be static.
func (s *Session) fetchBound(feeds []capi.Value, fetches []Port) ([]capi.Value, error) {
	binding, err := s.core.CreateIoBinding()
	if err != nil {
		return nil, err
	}
	defer binding.Destroy()
	for i, p := range s.inputs {
		if err := binding.BindInput(p.Name, feeds[i]); err != nil {
			return nil, err
		}
	}
	values := make([]capi.Value, 0, len(fetches))
	for _, p := range fetches {
		b, err := newPortBuffer(p)
		if err == nil {
			values = append(values, b.value)
			err = binding.BindOutput(p.Name, b.value)
		}
		if err != nil {
			destroy(values)
			return nil, err
		}
	}
	if err := s.core.RunWithBinding(binding); err != nil {
		destroy(values)
		return nil, err
	}
	return values, nil
}
