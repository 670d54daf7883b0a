//go:build cgo

// Package capi is the part of the wrapper of ONNX Runtime's C API that package ort uses. Without cgo, it has the same names, but
// its functions only return errors. So the whole module can also be built and checked without cgo, and says what is missing when
// it has to run a model.
package capi

import ort "github.com/yalue/onnxruntime_go"

type (
	CUDAProviderOptions      = ort.CUDAProviderOptions
	CustomDataTensor         = ort.CustomDataTensor
	DynamicAdvancedSession   = ort.DynamicAdvancedSession
	InputOutputInfo          = ort.InputOutputInfo
	IoBinding                = ort.IoBinding
	RunOptions               = ort.RunOptions
	Scalar[T ort.TensorData] = ort.Scalar[T]
	SessionOptions           = ort.SessionOptions
	Tensor[T ort.TensorData] = ort.Tensor[T]
	TensorData               = ort.TensorData
	TensorElementDataType    = ort.TensorElementDataType
	Value                    = ort.Value
)

const (
	GraphOptimizationLevelDisableAll = ort.GraphOptimizationLevelDisableAll
	ONNXTypeTensor                   = ort.ONNXTypeTensor
)

var (
	GetInputOutputInfoWithOptions = ort.GetInputOutputInfoWithOptions
	InitializeEnvironment         = ort.InitializeEnvironment
	IsInitialized                 = ort.IsInitialized
	NewCUDAProviderOptions        = ort.NewCUDAProviderOptions
	NewCustomDataTensor           = ort.NewCustomDataTensor
	NewDynamicAdvancedSession     = ort.NewDynamicAdvancedSession
	NewRunOptions                 = ort.NewRunOptions
	NewSessionOptions             = ort.NewSessionOptions
	NewShape                      = ort.NewShape
	SetSharedLibraryPath          = ort.SetSharedLibraryPath
	WithLogLevelFatal             = ort.WithLogLevelFatal
)

// NewScalar makes a value without dims.
func NewScalar[T ort.TensorData](v T) (*ort.Scalar[T], error) { return ort.NewScalar(v) }
