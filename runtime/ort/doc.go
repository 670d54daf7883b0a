// Package ort runs ONNX models on ONNX Runtime: it finds the shared library, opens sessions on an execution provider, and runs
// training steps whose state stays in memory between steps.
//
// A program calls Init once, and then Open as often as it needs:
//
//	lib, err := ort.Init("")
//	session, err := ort.Open("model.onnx", ort.Options{})
//	outputs, err := session.Run(map[string]*onnxgraph.Tensor{"x": x})
//
// The package prints nothing, and keeps ONNX Runtime from printing: errors say what went wrong.
package ort
