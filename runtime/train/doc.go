// Package train fits models to data: it runs the training step over epochs, measures after each, and keeps
// checkpoints from which a run that was stopped goes on with the same result, bit for bit on one machine.
package train
