package ort

/*
#include <signal.h>

enum { HANDLERS = 32 }; // the classic signals are 1 to 31

static void save_handlers(struct sigaction *saved) {
	for (int s = 1; s < HANDLERS; s++)
		sigaction(s, NULL, &saved[s]);
}

static void restore_handlers(const struct sigaction *saved) {
	for (int s = 1; s < HANDLERS; s++) {
		struct sigaction now;
		if (sigaction(s, NULL, &now))
			continue;
		if (now.sa_sigaction != saved[s].sa_sigaction || now.sa_flags != saved[s].sa_flags)
			sigaction(s, &saved[s], NULL);
	}
}
*/
import "C"

// signalHandlers holds the process's handlers of all signals. The CUDA provider installs its own handlers, and with them the next
// Ctrl+C would crash a Go program. So the handlers are saved before a session is created, and restored afterwards.
type signalHandlers [C.HANDLERS]C.struct_sigaction

func saveSignalHandlers() *signalHandlers {
	var saved signalHandlers
	C.save_handlers(&saved[0])
	return &saved
}

// restore restores the handlers that changed since they were saved.
func (h *signalHandlers) restore() { C.restore_handlers(&h[0]) }
