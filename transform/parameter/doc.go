// Package parameter finds the role of each constant of a model (weight, bias, statistic, bank of a frozen block, none), chooses
// which of them train, and draws new values for them.
//
// Start with List, which finds parameters by the operators that read them. A Variant or a Selection says which ones train. Reinit
// sets them to the initial values of PyTorch's layers. Separate gives each layer its own constants if an exporter stored equal
// ones only once.
package parameter
