//go:build !cgo

package capi

import "errors"

// ErrNoCgo says that cgo is missing.
var ErrNoCgo = errors.New("this program was built without cgo, and cannot run ONNX Runtime: install a C compiler, such as gcc, and build it with CGO_ENABLED=1")

type (
	CUDAProviderOptions    struct{}
	CustomDataTensor       struct{ value }
	DynamicAdvancedSession struct{}
	EnvironmentOption      func() error
	GraphOptimizationLevel int
	IoBinding              struct{}
	ONNXType               int
	RunOptions             struct{}
	Scalar[T TensorData]   struct{ value }
	SessionOptions         struct{}
	Shape                  []int64
	Tensor[T TensorData]   struct{ value }
	TensorElementDataType  int
	value                  struct{}
)

// InputOutputInfo describes an input or output of a model.
type InputOutputInfo struct {
	Name         string
	OrtValueType ONNXType
	Dimensions   Shape
	DataType     TensorElementDataType
}

// TensorData is a type of tensor elements.
type TensorData interface {
	~float32 | ~float64 | ~int8 | ~int16 | ~int32 | ~int64 | ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~bool
}

// Value is an input or output of a model.
type Value interface {
	GetShape() Shape
	Destroy() error
	GetONNXType() ONNXType
}

const (
	GraphOptimizationLevelDisableAll GraphOptimizationLevel = 0
	ONNXTypeTensor                   ONNXType               = 1
)

// String names the kind of value.
func (t ONNXType) String() string { return "tensor" }

func (value) GetShape() Shape       { return nil }
func (value) Destroy() error        { return nil }
func (value) GetONNXType() ONNXType { return ONNXTypeTensor }

func (*CustomDataTensor) GetData() []byte { return nil }
func (*Tensor[T]) GetData() []T           { return nil }
func (*Scalar[T]) GetData() (none T)      { return none }

func (*CUDAProviderOptions) Update(map[string]string) error { return ErrNoCgo }
func (*CUDAProviderOptions) Destroy() error                 { return nil }

func (*SessionOptions) Destroy() error                                              { return nil }
func (*SessionOptions) SetGraphOptimizationLevel(GraphOptimizationLevel) error      { return ErrNoCgo }
func (*SessionOptions) AddSessionConfigEntry(key, value string) error               { return ErrNoCgo }
func (*SessionOptions) SetIntraOpNumThreads(int) error                              { return ErrNoCgo }
func (*SessionOptions) SetMemPattern(bool) error                                    { return ErrNoCgo }
func (*SessionOptions) AppendExecutionProviderCUDA(*CUDAProviderOptions) error      { return ErrNoCgo }
func (*SessionOptions) EnableProfiling(prefix string) error                         { return ErrNoCgo }
func (*RunOptions) Destroy() error                                                  { return nil }
func (*RunOptions) Terminate() error                                                { return ErrNoCgo }
func (*IoBinding) Destroy() error                                                   { return nil }
func (*IoBinding) BindInput(name string, v Value) error                             { return ErrNoCgo }
func (*IoBinding) BindOutput(name string, v Value) error                            { return ErrNoCgo }
func (*IoBinding) GetBoundOutputValues() ([]Value, error)                           { return nil, ErrNoCgo }
func (*IoBinding) ClearBoundInputs()                                                {}
func (*IoBinding) ClearBoundOutputs()                                               {}
func (*DynamicAdvancedSession) CreateIoBinding() (*IoBinding, error)                { return nil, ErrNoCgo }
func (*DynamicAdvancedSession) Destroy() error                                      { return nil }
func (*DynamicAdvancedSession) RunWithOptions(in, out []Value, o *RunOptions) error { return ErrNoCgo }
func (*DynamicAdvancedSession) RunWithBinding(*IoBinding) error                     { return ErrNoCgo }

func GetInputOutputInfoWithOptions(string, *SessionOptions) (in, out []InputOutputInfo, err error) {
	return nil, nil, ErrNoCgo
}
func InitializeEnvironment(...EnvironmentOption) error      { return ErrNoCgo }
func IsInitialized() bool                                   { return false }
func NewCUDAProviderOptions() (*CUDAProviderOptions, error) { return nil, ErrNoCgo }
func NewCustomDataTensor(Shape, []byte, TensorElementDataType) (*CustomDataTensor, error) {
	return nil, ErrNoCgo
}
func NewDynamicAdvancedSession(string, []string, []string, *SessionOptions) (*DynamicAdvancedSession, error) {
	return nil, ErrNoCgo
}
func NewRunOptions() (*RunOptions, error)           { return nil, ErrNoCgo }
func NewScalar[T TensorData](T) (*Scalar[T], error) { return nil, ErrNoCgo }
func NewSessionOptions() (*SessionOptions, error)   { return nil, ErrNoCgo }
func NewShape(dims ...int64) Shape                  { return dims }
func SetSharedLibraryPath(string)                   {}
func WithLogLevelFatal() EnvironmentOption          { return nil }
