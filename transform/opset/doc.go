// Package opset brings models to a newer version of ONNX's operators.
//
// The version of an operator set defines the form of every operator: its inputs, attributes and their meaning. The table in
// changes.go has a row for each version in which the form of an operator changed. A row rewrites one node from the form just
// before to the form of that version. Upgrade goes through the versions one by one, so that a row need not know later versions,
// and nodes that a row adds are upgraded further like all others. An operator needs no row for a version that only adds features
// (more element types, optional attributes whose default is the old behavior).
package opset
