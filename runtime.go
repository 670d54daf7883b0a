package rcfreeze

import (
	"cmp"
	"runtime"

	"github.com/rcfreeze/rcfreeze/runtime/ort"
)

// Runtime says which ONNX Runtime runs models, and on what. The zero value uses the library that ort.Find finds, on the CPU.
type Runtime struct {
	Library  string       // the library's file or its folder, "" to find one (--ort-lib)
	Provider ort.Provider // "" is ort.CPU
	Device   int          // number of the GPU, for ort.CUDA
	TF32     bool         // let CUDA round the inputs of products to 10 bits of mantissa: faster
	Threads  int          // per operator, 0 for one per core that the process may use
}

// start initializes ONNX Runtime and returns how sessions are to run.
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
	if o.Provider == "" {
		return nil
	}
	_, err := ort.ParseProvider(string(o.Provider))
	return err
}

// asMany returns how many threads or goroutines an option gives: as many as are asked for, 0 for one per core, but no more than
// there are cores that the process may use, by its affinity and by the quota of its container. More make nothing faster; very many
// keep ONNX Runtime busy with starting them, where no signal reaches the program.
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
