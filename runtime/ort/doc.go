// Package ort runs ONNX models on ONNX Runtime: it finds the shared library, opens sessions on an
// execution provider, and trains with state that stays in place between steps.
//
// A program calls Init once, then Open as often as it likes:
//
//	lib, err := ort.Init("")
//	session, err := ort.Open("model.onnx", ort.Options{})
//	outputs, err := session.Run(map[string]*onnxgraph.Tensor{"x": x})
//
// The package prints nothing, and keeps ONNX Runtime from printing: what went wrong is in the error.
package ort
