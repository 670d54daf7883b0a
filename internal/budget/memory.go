package budget

import "sync"

// Memory is a number of bytes that tasks share.
type Memory struct {
	all, free int64
	lock      sync.Mutex
	freed     *sync.Cond
}

// NewMemory returns a Memory of the given bytes, all free.
func NewMemory(bytes int64) *Memory {
	m := &Memory{all: bytes, free: bytes}
	m.freed = sync.NewCond(&m.lock)
	return m
}

// Take waits until the given number of bytes is free, and takes them. If a task asks for more than the total, it gets all.
// giveBack returns the bytes. A task must call Take only once: two tasks that hold some memory and wait for more could wait for
// each other.
func (m *Memory) Take(bytes int64) (giveBack func()) {
	bytes = min(bytes, m.all)
	m.lock.Lock()
	for m.free < bytes {
		m.freed.Wait()
	}
	m.free -= bytes
	m.lock.Unlock()
	return func() {
		m.lock.Lock()
		m.free += bytes
		m.lock.Unlock()
		m.freed.Broadcast()
	}
}
