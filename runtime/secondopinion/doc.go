// Package secondopinion runs an exported model in a second engine, one that shares no code with ONNX
// Runtime: onnx-go's backend gorgonnx, written in Go. Where both engines agree on a model's output, the
// output is what the file says and not what one engine makes of it.
//
// The engine is small and has faults: it can end the process, and for some models its result is wrong
// without an error. So it is asked only about models within a white list (see [Check]) of operators and
// attributes for which its results were compared with those of ONNX Runtime, and it runs in a process of
// its own, one per run, which reads the model afresh.
//
// That process is another program, cmd/rcfreeze-second-opinion, so that the calling program need not contain the engine. [Find]
// tells where it is looked for.
package secondopinion
