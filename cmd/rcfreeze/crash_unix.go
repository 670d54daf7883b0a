//go:build unix

package main

/*
#include <signal.h>
#include <string.h>
#include <unistd.h>

static char models[4096]; // their names

static void say(const char *text) {
	if (write(STDERR_FILENO, text, strlen(text))) {} // if that fails, nobody can be told
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

// Go's own handlers, which come later, call these if the fault is not in Go code.
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

// A model may make ONNX Runtime end the process. What is known to do so is refused when the model is loaded (see onnxgraph), but
// much depends on sizes that only a run shows. Then one line says what happened, instead of Go's goroutines and registers, and the
// process ends by the signal as it would have.

// tellCrashes sees to that for an abort too, which Go does not pass on. For the others it is done before Go starts.
func tellCrashes() { C.handle_abort() }

// blameForCrash says what ONNX Runtime runs from now on: a crash is told with it.
func blameForCrash(models string) { rememberText(unsafe.StringData(models), len(models)) }

func rememberText(text *byte, length int) {
	C.remember((*C.char)(unsafe.Pointer(text)), C.size_t(length))
}
