// Package gradient differentiates ONNX graphs in reverse mode: it adds ordinary nodes to a graph that compute the derivative of a
// scalar, the loss, with respect to any values of the graph.
//
// Terms: L is the loss. The gradient of a value v, written dv, is ∂L/∂v and has v's shape. The incoming gradients of a node are
// those of its outputs; the node's rule turns them into the gradients of its inputs (a vector-Jacobian product).
//
// The table rules, in rules.go, has one row for each operator. A rule is a small function that emits nodes; to add an operator,
// write its rule and a row. The engine walks from the loss back to the wanted values and visits only the nodes between them. It
// adds up the gradients of a value that several nodes read, and undoes broadcasting. If operators have no rule, one error lists
// all their nodes. An operator without a derivative (a comparison, a shape) has a row that says so.
//
// Every value between the wanted ones and the loss must have a declared element type and static shape (see
// onnxgraph.Value.SetType), because rules emit different nodes for different shapes.
package gradient
