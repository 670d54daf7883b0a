// Package onnxpb holds the Go types of the ONNX wire schema, generated from onnxpb.proto.
package onnxpb

//go:generate protoc --go_out=. --go_opt=paths=source_relative onnxpb.proto
