package main

import "runtime"

// asMany returns how many threads or goroutines a flag gives: as many as are asked for, 0 for one per core, but no more than there
// are cores that the process may use, by its affinity and by the quota of its container. More make nothing faster; very many keep
// ONNX Runtime busy with starting them, where no signal reaches the program.
func (p *printer) asMany(flag string, asked int) int {
	return p.atMost(flag, asked, runtime.GOMAXPROCS(0))
}

func (p *printer) atMost(flag string, asked, cores int) int {
	if asked <= cores {
		return asked
	}
	p.say("%s is %d instead of %d: this process may use no more cores", flag, cores, asked)
	return cores
}
