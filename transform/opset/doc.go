// Package opset brings models to a newer version of ONNX's operators.
//
// An operator set version fixes the form of every operator: its inputs, attributes and their meaning. The table in changes.go
// has a row for each version in which the form of an operator changed; a row rewrites one node from the form just before to the
// form of that version. Upgrade walks the versions one by one, so that a row need not know of later ones, and nodes that a row
// adds are upgraded further like all others. Operators that only gained something in a version (more element types, optional
// attributes whose default is the old behavior) need no row.
package opset
