// Package rcfreeze converts, trains, compares and exports convolutional networks (CNNs) in the ONNX format, as the command
// rcfreeze does. It rewrites spatial convolutions into frozen blocks, a fixed random convolution followed by a trainable 1×1
// convolution; trains the result, or any classifier, on stock ONNX Runtime; and merges each block back into one convolution. The
// method is that of Gavrikov & Keuper, "The Power of Linear Combinations: Learning with Random Convolutions" (arXiv 2301.11360).
//
// [Open] and [Read] read a model, [New] builds one. These functions do the work of the commands with their names:
//
//	Inspect      lists what is in a model
//	Convert      replaces convolutions by frozen blocks
//	Recalibrate  estimates the running statistics of BatchNorm again
//	Train        fine-tunes a model, or trains it from scratch
//	Evaluate     measures loss, accuracy, and accuracy under attack
//	Predict      finds the classes of images
//	Compare      trains variants and measures them side by side
//	Analyze      measures the filters of a model
//	Export       merges blocks, and verifies the result
//
// # Options
//
// A zero in a field of an options struct means the default of the command, except for fields that are marked as required.
// Messages name flags, such as --batch-size. Most fields have the flag's name without hyphens, such as BatchSize. Those that
// differ are Runtime.Library (--ort-lib), Output.Path (-o), Output.External (--external-data), Data.Normalize (also --pixels,
// --mean and --std), Data.Limits (--max-image-pixels, --max-array-size), ExportOptions.KeepBatchNorm (--fold-batchnorm=false),
// ExportOptions.Verify (--verify-batch, --inputs) and, in train.Recipe, which Settings.Recipe changes, LearningRate (--lr),
// Schedule (--scheduler) and ClipNorm (--clip-grad). Wrong options give an *[OptionsError] before any work is done.
//
// The functions in the list do not change the model that they get: their results hold new models. If the options have an
// [Output], the new model is also written there, once it is complete, by a single rename. [Describe] changes the metadata of its
// model.
//
// The functions that run models initialize ONNX Runtime themselves, as [Runtime] says.
//
// # Messages
//
// The functions print nothing. They report to a [Reporter] what they decide for the user, or leave out. Set its field Say to
// log.Printf to see what the command prints to standard error.
//
// # Stopping
//
// All long work stops soon after its context is done, with an error that wraps the context's error. Train and Compare save a
// checkpoint first. Train continues from it if Resume is set; for that, it needs a RunDir or an Output. Compare always continues
// what it finds in its Folder.
//
// # Records
//
// The metadata of a trained model records how its images are normalized, the names of its classes, and how the bank of every
// frozen block was made ([Describe], [Classes], [Normalization]). So one program can train a model, and another one evaluate and
// export it, without further settings.
package rcfreeze

import (
	"io"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Model is an ONNX model in memory. Use package onnxgraph to read and change it.
type Model = onnxgraph.Model

// Open reads a model from a file, as onnxgraph.Load does. Tensors in external data files are read when they are needed. The error
// lists everything that is wrong with the model.
func Open(path string) (*Model, error) { return onnxgraph.Load(path) }

// Read reads a model from a stream, as onnxgraph.Read does. Messages use the given name for it. The model must have its data
// inside: a stream has no folder for data files.
func Read(r io.Reader, name string) (*Model, error) { return onnxgraph.Read(r, name) }
