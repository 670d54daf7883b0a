package ort

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"

	"github.com/rcfreeze/rcfreeze/runtime/ort/internal/capi"

	"github.com/rcfreeze/rcfreeze/internal/atomicfile"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Port is an input or an output of a session.
type Port struct {
	Name  string
	DType onnxgraph.DType
	// Shape has -1 for a dim that the model leaves open. It is empty for a tensor without dims, and also if the rank is unknown,
	// because ONNX Runtime does not distinguish the two.
	Shape []int64
}

// isStatic reports whether all dims of the port are known.
func (p Port) isStatic() bool { return len(p.Shape) > 0 && !slices.Contains(p.Shape, -1) }

// Session is a model that is ready to run. Several goroutines may run it at the same time. Call Close after the last run has
// returned.
type Session struct {
	model   string // the file, for messages
	inputs  []Port
	outputs []Port
	other   []string // outputs that are not tensors of numbers and cannot be read
	core    *capi.DynamicAdvancedSession

	rebind bool // binding copies values to a device, so changed values must be bound again

	mu      sync.Mutex
	hasDims map[string]bool // outputs of unknown rank that turned out not to be scalars
}

// creating allows one creation of a session at a time, because the signal handlers that are saved and restored around it belong
// to the whole process.
var creating sync.Mutex

// Open makes a session for an ONNX file. Call Init first, otherwise Open fails. External data must be in the folder of the file.
func Open(path string, o Options) (*Session, error) {
	return open(path, path, o)
}

// OpenBytes makes a session for the bytes of an ONNX file without external data. ONNX Runtime reads them from a temporary file.
// Call Init first.
func OpenBytes(model []byte, o Options) (*Session, error) {
	file, err := atomicfile.BeginTemporary()
	if err != nil {
		return nil, fmt.Errorf("opening a session: %w", err)
	}
	err = file.Write(func(f *atomicfile.File) error {
		_, err := f.Write(model)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("opening a session: %w", errors.Join(err, file.Abandon()))
	}
	s, err := open(file.Path(), "a model in memory", o)
	return s, errors.Join(err, file.Abandon())
}

// OpenModel makes a session for a model in memory, which may differ from its file and may be larger than 2 GiB. ONNX Runtime
// reads it from temporary files. Call Init first.
func OpenModel(m *onnxgraph.Model, o Options) (s *Session, err error) {
	saved := saveTemporarily(m, func(path string) { s, err = open(path, nameOf(m), o) })
	return s, errors.Join(saved, err)
}

// OutputsOf returns the same as Outputs of a session for m, in half the time. Call Init first.
func OutputsOf(m *onnxgraph.Model) (outputs []Port, err error) {
	saved := saveTemporarily(m, func(path string) {
		var s *Session
		if s, err = newSession(path, Options{}); err != nil {
			err = fmt.Errorf("reading the outputs of %s: %w", nameOf(m), markOutOfMemory(err))
			return
		}
		outputs = s.outputs
	})
	return outputs, errors.Join(saved, err)
}

// saveTemporarily saves m to a temporary file, calls use with it, and removes the file. Data that a session has mapped stays
// available to it.
func saveTemporarily(m *onnxgraph.Model, use func(path string)) error {
	file, err := m.StageTemporarily(onnxgraph.ExternalAsRead)
	if err != nil {
		return fmt.Errorf("opening a session: %w", err)
	}
	use(file.Path())
	return file.Abandon()
}

func nameOf(m *onnxgraph.Model) string { return cmp.Or(m.Path(), "a model in memory") }

// open makes a session for the file at path. Messages use the given name for it.
func open(path, name string, o Options) (*Session, error) {
	s, err := create(path, o)
	if err != nil {
		return nil, fmt.Errorf("opening a session of %s: %w", name, markOutOfMemory(err))
	}
	s.model = name
	return s, nil
}

func create(path string, o Options) (*Session, error) {
	s, err := newSession(path, o)
	if err != nil {
		return nil, err
	}
	creating.Lock()
	defer creating.Unlock()
	defer saveSignalHandlers().restore()
	options, err := o.build()
	if err != nil {
		return nil, err
	}
	defer options.Destroy()
	s.core, err = capi.NewDynamicAdvancedSession(path, names(s.inputs), names(s.readableOutputs()), options)
	return s, err
}

// newSession returns a session that knows its inputs and outputs but cannot run yet.
func newSession(path string, o Options) (*Session, error) {
	if !capi.IsInitialized() {
		return nil, errNotInitialized
	}
	if _, err := os.Stat(path); err != nil {
		return nil, err
	}
	creating.Lock()
	defer creating.Unlock()
	defer saveSignalHandlers().restore()
	s := &Session{rebind: o.Provider == CUDA, hasDims: map[string]bool{}}
	if o.declared != nil && s.takePorts(o.declared) {
		return s, nil
	}
	return s, s.readPorts(path, o)
}

// takePorts takes over the inputs and outputs that a model declares. It reports whether the model declares an element type
// and fixed dims for each.
func (s *Session) takePorts(m *onnxgraph.Model) bool {
	var inputs, outputs []Port
	for _, v := range m.Graph.Inputs() {
		if v.Constant() == nil { // ONNX Runtime does not count one that has a default
			inputs = append(inputs, declaredPort(v))
		}
	}
	for _, v := range m.Graph.Outputs() {
		outputs = append(outputs, declaredPort(v))
	}
	for _, p := range slices.Concat(inputs, outputs) {
		if p.Shape == nil || p.DType.Bits() == 0 {
			return false
		}
	}
	s.inputs, s.outputs = inputs, outputs
	return true
}

// declaredPort returns the port of a value, without a shape if it is not declared with fixed dims.
func declaredPort(v *onnxgraph.Value) Port {
	shape, _ := v.StaticShape()
	return Port{Name: v.Name(), DType: v.DType(), Shape: shape}
}

// readPorts asks ONNX Runtime for the model's inputs and outputs. The wrapper opens a separate session for this, so its options
// turn off optimization and profiling.
func (s *Session) readPorts(path string, o Options) error {
	o.DisableOptimization, o.IntraOpThreads, o.ProfilePrefix = true, 1, ""
	options, err := o.build()
	if err != nil {
		return err
	}
	defer options.Destroy()
	inputs, outputs, err := capi.GetInputOutputInfoWithOptions(path, options)
	if err != nil {
		return err
	}
	var problems []error
	for _, info := range inputs {
		port, ok := portOf(info)
		if !ok {
			problems = append(problems, fmt.Errorf("input %q is a %s: only tensors of numbers can be passed", info.Name, kindOf(info)))
		}
		s.inputs = append(s.inputs, port)
	}
	for _, info := range outputs {
		if port, ok := portOf(info); ok {
			s.outputs = append(s.outputs, port)
		} else {
			s.other = append(s.other, fmt.Sprintf("%q is a %s", info.Name, kindOf(info)))
		}
	}
	return errors.Join(problems...)
}

// portOf returns a port. ok is false if the value is not a tensor of numbers. The wrapper uses ONNX's numbers for element types.
func portOf(info capi.InputOutputInfo) (p Port, ok bool) {
	p = Port{Name: info.Name, DType: onnxgraph.DType(info.DataType), Shape: info.Dimensions}
	return p, info.OrtValueType == capi.ONNXTypeTensor && p.DType.Bits() > 0
}

func kindOf(info capi.InputOutputInfo) string {
	if info.OrtValueType == capi.ONNXTypeTensor {
		return fmt.Sprintf("tensor of %v", onnxgraph.DType(info.DataType))
	}
	return info.OrtValueType.String()
}

// Inputs returns the inputs that Run needs, in the model's order. The caller must not change the slice.
func (s *Session) Inputs() []Port { return s.inputs }

// Outputs returns the outputs that Run can return, in the model's order. The caller must not change the slice.
func (s *Session) Outputs() []Port { return s.outputs }

// Close frees the session; a second call does nothing.
func (s *Session) Close() error {
	if s.core == nil {
		return nil
	}
	core := s.core
	s.core = nil
	return core.Destroy()
}

func names(ports []Port) []string {
	out := make([]string, len(ports))
	for i, p := range ports {
		out[i] = p.Name
	}
	return out
}

// find returns the port of that name.
func find(ports []Port, name string) (Port, bool) {
	i := slices.IndexFunc(ports, func(p Port) bool { return p.Name == name })
	if i < 0 {
		return Port{}, false
	}
	return ports[i], true
}
