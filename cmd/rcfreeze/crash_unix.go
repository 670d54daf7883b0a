//go:build unix

package main

/*
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char models[4096]; // their names

static void say(const char *text) {
	if (write(STDERR_FILENO, text, strlen(text))) {} // if that fails, there is no way to report it
}

static void tell_crash(int number) {
	say("rcfreeze: ONNX Runtime crashed (");
	say(number == SIGSEGV ? "segmentation fault" : number == SIGFPE ? "division by zero" : number == SIGBUS ? "bus error" : "abort");
	say(")");
	if (models[0]) {
		say(" on ");
		say(models);
	}
	say(". Each file is as it was before, or complete. Most likely a node asks for what ONNX does not allow, and ONNX Runtime does not "
	    "check that, such as more padding by reflection than its input has pixels. Or it is a bug of ONNX Runtime: try another release (--ort-lib).\n");
	signal(number, SIG_DFL);
	raise(number);
}

static void handle_crash(int number) {
	struct sigaction action;
	memset(&action, 0, sizeof action);
	action.sa_handler = tell_crash;
	action.sa_flags = SA_ONSTACK | SA_NODEFER;
	sigaction(number, &action, NULL);
}

// Go installs its own handlers later; they call these if the fault is not in Go code.
__attribute__((constructor)) static void handle_crashes(void) {
	handle_crash(SIGSEGV);
	handle_crash(SIGBUS);
	handle_crash(SIGFPE);
}

static void handle_abort(void) { handle_crash(SIGABRT); }

static void remember(const char *text, size_t length) {
	if (length >= sizeof models)
		length = sizeof models - 1;
	memmove(models, text, length);
	models[length] = 0;
}
*/
import "C"

import "unsafe"

// A model can crash ONNX Runtime, which ends the process. Known cases are refused when the model is loaded (see onnxgraph), but
// some depend on sizes that only a run shows. Then one line says what happened, instead of Go's goroutines and registers, and the
// signal ends the process as usual.

// tellCrashes installs the handler for an abort, which Go does not pass on to earlier handlers. Those for other signals are
// installed before Go starts.
func tellCrashes() { C.handle_abort() }

// blameForCrash sets the names of the models that the message about a crash will contain.
func blameForCrash(models string) { rememberText(unsafe.StringData(models), len(models)) }

func rememberText(text *byte, length int) {
	C.remember((*C.char)(unsafe.Pointer(text)), C.size_t(length))
}
