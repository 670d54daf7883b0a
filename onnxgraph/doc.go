// Package onnxgraph loads, edits and saves ONNX models without losing anything.
//
// A [Model] holds a [Graph] of [Node]s that read and produce [Value]s. Values are identified by their pointers, not by their
// names. A Value knows the node that produces it and every node that reads it, also nodes inside the bodies of If, Loop and Scan.
// Methods of Graph and Node make all edits, and keep these links consistent.
//
// What the package does not interpret (doc strings, metadata of nodes, quantization annotations, training information, fields of
// a newer schema) stays as it is: every object keeps the protobuf message that it was read from.
//
// The package does not run models.
package onnxgraph
