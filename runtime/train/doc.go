// Package train trains models: it runs the training step over epochs, measures the model after each epoch, and keeps checkpoints.
// A run that was stopped continues from a checkpoint with the same result, bit for bit on one machine.
package train
