package budget

import "sync"

// Memory is a number of bytes that tasks share.
type Memory struct {
	all, free int64
	lock      sync.Mutex
	freed     *sync.Cond
}

// NewMemory returns so many bytes, all of them free.
func NewMemory(bytes int64) *Memory {
	m := &Memory{all: bytes, free: bytes}
	m.freed = sync.NewCond(&m.lock)
	return m
}

// Take waits until so many bytes are free, and takes them; of more than there are, all. The function that it returns gives
// them back. A task takes once: two that hold some and wait for more could wait for each other.
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
