// Package onnxgraph loads, edits and saves ONNX models without losing anything.
//
// A [Model] holds a [Graph] of [Node]s that read and produce [Value]s. Identity is the pointer, not
// the name: a Value knows the node that produces it and every node that reads it, also those inside
// the bodies of If, Loop and Scan that capture it from outside. Edits go through Graph and Node
// methods, which keep those links in step.
//
// What the package does not interpret (doc strings, metadata of nodes, quantization annotations,
// training information, fields of a newer schema) travels along untouched: every object keeps the
// protobuf message that it was read from.
//
// The package knows nothing of what its callers rewrite, and executes nothing.
package onnxgraph
