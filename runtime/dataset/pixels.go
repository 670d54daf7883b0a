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

func (p *pixels) giveBack() { lender.Put(p) }
