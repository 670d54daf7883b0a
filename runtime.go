package rcfreeze

import (
	"cmp"
	"errors"
	"runtime"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Runtime says which ONNX Runtime runs models, and on what. The zero value uses the library that ort.Find finds, on the CPU.
type Runtime struct {
	Library  string       // the library's file or folder; "" searches for one (--ort-lib)
	Provider ort.Provider // "" is ort.CPU; ort.Auto is ort.CUDA if it is usable, otherwise ort.CPU
	Device   int          // number of the GPU, for ort.CUDA
	TF32     bool         // faster: CUDA rounds the inputs of products to 10 bits of mantissa
	Threads  int          // per operator, up to the number of cores that the process may use; 0 means all of them
}

// start initializes ONNX Runtime and returns the options for sessions.
func (o Runtime) start(r Reporter) (ort.Options, error) {
	library, err := ort.Init(o.Library)
	if err != nil {
		return ort.Options{}, err
	}
	if library.Warning != "" {
		r.say("%s: %s", library.Path, library.Warning)
	}
	choice := cmp.Or(o.Provider, ort.CPU)
	session := ort.Options{DeviceID: o.Device, TF32: o.TF32, IntraOpThreads: r.asMany("--threads", o.Threads)}
	var reason string
	if session.Provider, reason, err = ort.Select(choice); err != nil {
		return ort.Options{}, err
	}
	if choice == ort.Auto {
		r.say("provider %s: %s", session.Provider, reason)
	}
	if r.Verbose {
		r.say("ONNX Runtime %s (%s) on provider %s", library.Version, library.Path, session.Provider)
	}
	return session, nil
}

func (o Runtime) check() error {
	_, err := ort.ParseProvider(string(cmp.Or(o.Provider, ort.CPU)))
	return errors.Join(err, notNegative("--device", o.Device), notNegative("--threads", o.Threads))
}

// asMany returns the number of threads or goroutines for an option: the number that the user asked for (0 means one per core),
// but at most one per core that the process may use, according to its affinity and the quota of its container. More threads make
// nothing faster. With very many, ONNX Runtime spends its time starting them, and no signal can stop the program meanwhile.
func (r Reporter) asMany(option string, asked int) int {
	return r.atMost(option, asked, runtime.GOMAXPROCS(0))
}

func (r Reporter) atMost(option string, asked, cores int) int {
	if asked <= cores {
		return asked
	}
	r.say("%s is %d instead of %d: this process may use no more cores", option, cores, asked)
	return cores
}
