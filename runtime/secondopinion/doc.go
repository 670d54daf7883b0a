// Package secondopinion runs an exported model in a second engine that shares no code with ONNX Runtime: onnx-go's backend
// gorgonnx, which is written in Go. If both engines compute the same output, it is very likely what the file means, and not a
// fault of one engine.
//
// The engine is small and has faults: it can end the process, and for some models its result is wrong without an error. So it
// only gets models whose operators and attributes are on a white list (see [Check]); for these, its results were compared with
// those of ONNX Runtime. Each run has its own process, which reads the model again.
//
// That process runs another program, cmd/rcfreeze-second-opinion, so that the calling program need not contain the engine. [Find]
// says where it looks for that program.
package secondopinion
