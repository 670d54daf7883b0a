package dataset

import "sync"

// pixels is memory that is borrowed and reused, because new memory for each image would keep the garbage collector busy.
type pixels struct{ data []uint8 }

var lender = sync.Pool{New: func() any { return new(pixels) }}

// borrow returns size bytes with undefined content. Call giveBack when they are no longer needed.
func borrow(size int) *pixels {
	p := lender.Get().(*pixels)
	if cap(p.data) < size {
		p.data = make([]uint8, size)
	}
	p.data = p.data[:size]
	return p
}

// giveBack returns borrowed memory. Very large pieces are freed, because few images need them and each goroutine could keep one.
func (p *pixels) giveBack() {
	const most = 1 << 25 // bytes
	if cap(p.data) <= most {
		lender.Put(p)
	}
}
