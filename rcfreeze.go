// Package rcfreeze converts, trains, compares and exports convolutional networks (CNNs) in the ONNX format, as the command
// rcfreeze does. It rewrites spatial convolutions into frozen blocks, a fixed random convolution followed by a trainable 1×1
// convolution; trains the result, or any classifier, on stock ONNX Runtime; and merges each block back into one convolution.
// The method is that of Gavrikov & Keuper, "The Power of Linear Combinations: Learning with Random Convolutions"
// (arXiv 2301.11360).
//
// [Open] reads a model, [New] builds one. Each of the other functions does the work of the command of its name:
//
//	Inspect      what is in a model
//	Convert      convolutions become frozen blocks
//	Recalibrate  running statistics of BatchNorm are estimated again
//	Train        a model is fine-tuned, or trained from scratch
//	Evaluate     loss, accuracy, and accuracy under attack
//	Predict      the classes of images
//	Compare      variants are trained and measured side by side
//	Export       blocks are merged, and the result is verified
//
// # Options
//
// The zero value of every options struct stands for what the command does without flags. Messages name flags, such as
// --batch-size; the field of the options has the same name, without hyphens. What is wrong with options is told before any work
// is done, by an [OptionsError].
//
// No function changes the model that it is given: results hold new ones. Where options have an [Output], the new model is
// written there, too, once it is complete, by a single rename.
//
// # Talk
//
// The functions print nothing. What they decide for the user, or leave out, they tell a [Reporter]; with log.Printf in its field
// Say, that is what the command prints to standard error.
//
// # Stopping
//
// All long work ends soon after its context does, with an error that wraps the context's. Train and Compare save a checkpoint
// first, and go on from it with Resume.
//
// # Records
//
// A trained model records in its metadata how its images are normalized and how its classes are called, and every frozen
// block how its bank was made ([Describe], [Classes], [Normalization]). So what one program trains, another one evaluates and
// exports without being told anything.
package rcfreeze

import (
	"io"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Model is an ONNX model in memory. Package onnxgraph tells how to look at it, and how to change it.
type Model = onnxgraph.Model

// Open reads the model in a file. The tensors that it keeps in other files are read when they are needed. The error lists all
// that is wrong with it.
func Open(path string) (*Model, error) { return onnxgraph.Load(path) }

// Read reads a model from a stream. The name stands for it in messages.
func Read(r io.Reader, name string) (*Model, error) { return onnxgraph.Read(r, name) }
