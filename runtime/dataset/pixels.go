package dataset

import "sync"

// pixels are lent: images pass by so fast that new memory for each would keep the garbage collector busy.
type pixels struct{ data []uint8 }

var lender = sync.Pool{New: func() any { return new(pixels) }}

// borrow returns size bytes that hold anything, until they are given back.
func borrow(size int) *pixels {
	p := lender.Get().(*pixels)
	if cap(p.data) < size {
		p.data = make([]uint8, size)
	}
	p.data = p.data[:size]
	return p
}

// giveBack ends a loan. What few images need is not kept: there can be one for each goroutine.
func (p *pixels) giveBack() {
	const most = 1 << 25 // bytes
	if cap(p.data) <= most {
		lender.Put(p)
	}
}
