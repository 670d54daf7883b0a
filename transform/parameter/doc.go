// Package parameter tells the role of each constant of a model (weight, bias, statistic, bank of a frozen block, none), chooses
// which of them train, and draws new values for them.
//
// List is the door: it finds parameters by the operators that read them. A Variant or a Selection says which ones train,
// Reinit gives them the values that PyTorch's layers start with, and Separate gives layers constants of their own where an
// exporter merged equal ones.
package parameter
