// Package gradient differentiates ONNX graphs in reverse mode: it adds to a graph the ordinary nodes that
// compute the derivative of a scalar, the loss, by any of the graph's values.
//
// Words: the loss is L; the gradient of a value v, dv, is ∂L/∂v and has v's shape; a node's incoming
// gradients are those of its outputs; its rule turns them into the gradients of its inputs (a
// vector-Jacobian product).
//
// [Rules] is the one table of rules, by operator. A rule is a small function that emits nodes; to add an
// operator, write its rule and a row. The engine walks from the loss towards what is wanted, over nothing
// but the nodes between the two, adds up gradients where a value has several readers, and undoes
// broadcasting. An operator without a rule is an error that lists every such node at once; an operator
// that has no derivative (a comparison, a shape) has a row that says so.
//
// Every value between the wanted ones and the loss must have a declared element type and static shape
// (see onnxgraph.Value.SetType), since rules emit different nodes for different shapes.
package gradient
