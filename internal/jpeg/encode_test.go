package jpeg

import (
	"encoding/binary"
	"math"
	mathbits "math/bits"
	"math/rand/v2"
	"slices"
)

// picture is a JPEG that the tests write by hand, so that reader and writer share nothing: random coefficients in any
// arrangement of components.
type picture struct {
	width, height int
	factors       [][2]int // of each component
	progressive   bool
	interval      int
	coefficients  [][][64]int // of each component and block, in natural order
}

const quantizer = 6 // by which all coefficients are multiplied

// newPicture draws coefficients as pictures have them: the higher the frequency, the smaller.
func newPicture(width, height int, factors [][2]int, seed uint64) *picture {
	r := rand.New(rand.NewPCG(seed, 1))
	p := &picture{width: width, height: height, factors: factors}
	for i := range factors {
		across, down := p.blocks(i)
		blocks := make([][64]int, across*down)
		for b := range blocks {
			blocks[b][0] = r.IntN(160) - 80
			for k := 1; k < 64; k++ {
				if r.IntN(4) == 0 {
					blocks[b][k] = int(r.NormFloat64() * 60 / float64((1+k%8+k/8)*(1+k%8+k/8)))
				}
			}
		}
		p.coefficients = append(p.coefficients, blocks)
	}
	return p
}

// largest returns the largest factors.
func (p *picture) largest() (h, v int) {
	for _, f := range p.factors {
		h, v = max(h, f[0]), max(v, f[1])
	}
	return h, v
}

// blocks returns how many blocks component i has in all, with those that only fill up units.
func (p *picture) blocks(i int) (across, down int) {
	h, v := p.largest()
	return (p.width + 8*h - 1) / (8 * h) * p.factors[i][0], (p.height + 8*v - 1) / (8 * v) * p.factors[i][1]
}

// samples returns the true size of component i.
func (p *picture) samples(i int) (width, height int) {
	h, v := p.largest()
	part := func(size, factor, largest int) int { return (size*factor + largest - 1) / largest }
	return part(p.width, p.factors[i][0], h), part(p.height, p.factors[i][1], v)
}

// diagonals has the places of coefficients by a walk along the diagonals.
var diagonals = func() (places []int) {
	for d := range 15 {
		for i := range d + 1 {
			y, x := i, d-i
			if d%2 == 0 {
				y, x = x, y
			}
			if y < 8 && x < 8 {
				places = append(places, 8*y+x)
			}
		}
	}
	return places
}()

// code is a Huffman code, with codes that are shorter and longer than a table would be.
type code struct {
	counts [16]byte // of codes of each length
	values []byte   // in the order of codes
}

// means is the Huffman code for the sizes of blocks' means; others is the code for zeros and sizes of the other coefficients.
// Both have all bytes, in any order.
var (
	means  = code{[16]byte{1: 2, 3: 4, 5: 4, 7: 3, 11: 3}, shuffled(16)}
	others = code{[16]byte{1: 1, 3: 4, 5: 8, 7: 16, 9: 64, 11: 100, 15: 63}, shuffled(256)}
)

func shuffled(n int) (values []byte) {
	for i := range n {
		values = append(values, byte(i*37%n))
	}
	return values
}

// find returns the code of a value and its length.
func (c *code) find(value byte) (found uint64, length int) {
	next, n := uint64(0), 0
	for length := 1; length <= 16; length++ {
		for range c.counts[length-1] {
			if c.values[n] == value {
				return next, length
			}
			next++
			n++
		}
		next <<= 1
	}
	panic("no code")
}

// writer writes compressed data.
type writer struct {
	out      []byte
	held     uint64
	n        int
	previous map[int]int // mean of each component
}

func (w *writer) put(v uint64, n int) {
	w.held, w.n = w.held<<n|v&(1<<n-1), w.n+n
	for ; w.n >= 8; w.n -= 8 {
		b := byte(w.held >> (w.n - 8))
		if w.out = append(w.out, b); b == 0xff {
			w.out = append(w.out, 0)
		}
	}
}

func (w *writer) symbol(c *code, b byte) { w.put(c.find(b)) }

// number writes a number behind its size and the zeros before it.
func (w *writer) number(c *code, zeros, v int) {
	size := mathbits.Len(uint(max(v, -v)))
	w.symbol(c, byte(zeros<<4|size))
	if v < 0 {
		v--
	}
	w.put(uint64(v), size)
}

// flush fills up a byte with ones.
func (w *writer) flush() {
	if w.n > 0 {
		w.put(0xff, 8-w.n)
	}
	w.held, w.previous = 0, map[int]int{}
}

// encode returns the file.
func (p *picture) encode() []byte {
	segment := func(marker byte, content []byte) []byte {
		return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(content)+2)), content...)
	}
	out := []byte{0xff, startOfImage}
	table := []byte{0}
	for range 64 {
		table = append(table, quantizer)
	}
	out = append(out, segment(quantization, table)...)
	out = append(out, segment(huffmanTables, slices.Concat([]byte{0}, means.counts[:], means.values))...)
	out = append(out, segment(huffmanTables, slices.Concat([]byte{0x10}, others.counts[:], others.values))...)
	frame := []byte{8, byte(p.height >> 8), byte(p.height), byte(p.width >> 8), byte(p.width), byte(len(p.factors))}
	blocks := 0
	for i, f := range p.factors {
		frame = append(frame, byte(i+1), byte(f[0]<<4|f[1]), 0)
		blocks += f[0] * f[1]
	}
	if p.progressive {
		out = append(out, segment(startOfFrame2, frame)...)
	} else {
		out = append(out, segment(startOfFrame1, frame)...)
	}
	if p.interval > 0 {
		out = append(out, segment(restartInterval, []byte{0, byte(p.interval)})...)
	}
	scan := func(components []int, first, last, high, low int) {
		head := []byte{byte(len(components))}
		for _, i := range components {
			head = append(head, byte(i+1), 0)
		}
		out = append(out, segment(startOfScan, append(head, byte(first), byte(last), byte(high<<4|low)))...)
		out = append(out, p.scan(components, first, last, high, low)...)
	}
	var together [][]int // components whose means are in one scan
	for i := range p.factors {
		if together = append(together, []int{i}); blocks <= 10 && i > 0 {
			together = [][]int{append(together[0], i)}
		}
	}
	for _, components := range together {
		if !p.progressive {
			scan(components, 0, 63, 0, 0)
			continue
		}
		scan(components, 0, 0, 0, 1)
	}
	for i := range p.factors {
		if p.progressive {
			scan([]int{i}, 6, 63, 0, 1)
			scan([]int{i}, 1, 5, 0, 0)
			scan([]int{i}, 6, 63, 1, 0)
			scan([]int{i}, 0, 0, 1, 0)
		}
	}
	return append(out, 0xff, endOfImage)
}

// scan returns the compressed data of a scan.
func (p *picture) scan(components []int, first, last, high, low int) []byte {
	w := &writer{}
	w.flush()
	h, v := p.largest()
	across, down := (p.width+8*h-1)/(8*h), (p.height+8*v-1)/(8*v)
	alone := len(components) == 1
	if alone {
		width, height := p.samples(components[0])
		across, down = (width+7)/8, (height+7)/8
	}
	for unit := range across * down {
		if p.interval > 0 && unit > 0 && unit%p.interval == 0 {
			w.flush()
			w.out = append(w.out, 0xff, restart0+byte((unit/p.interval-1)%8))
		}
		x, y := unit%across, unit/across
		for _, i := range components {
			h, v := p.factors[i][0], p.factors[i][1]
			if alone {
				h, v = 1, 1
			}
			wide, _ := p.blocks(i)
			for b := range h * v {
				w.block(p.coefficients[i][(y*v+b/h)*wide+x*h+b%h], i, first, last, high, low)
			}
		}
	}
	w.flush()
	return w.out
}

func (w *writer) block(block [64]int, component, first, last, high, low int) {
	if high > 0 && first == 0 {
		w.put(uint64(block[0]>>low), 1)
		return
	}
	if high > 0 {
		w.refine(block, first, last)
		return
	}
	if first == 0 {
		mean := block[0] >> low
		w.number(&means, 0, mean-w.previous[component])
		w.previous[component] = mean
		first = 1
	}
	zeros := 0
	for k := first; k <= last; k++ {
		c := block[diagonals[k]] / (1 << low)
		if c == 0 {
			zeros++
			continue
		}
		for ; zeros > 15; zeros -= 16 {
			w.symbol(&others, 15<<4)
		}
		w.number(&others, zeros, c)
		zeros = 0
	}
	if zeros > 0 {
		w.symbol(&others, 0)
	}
}

// refine writes the lowest bit of a band whose other bits were written (T.81, G.1.2.3). Behind each symbol come the bits of those
// coefficients before it that are known not to be 0.
func (w *writer) refine(block [64]int, first, last int) {
	newest := 0 // the last coefficient that is 0 but for its lowest bit
	for k := first; k <= last; k++ {
		if c := block[diagonals[k]]; c == 1 || c == -1 {
			newest = k
		}
	}
	var pending []int
	zeros := 0
	flush := func() {
		for _, bit := range pending {
			w.put(uint64(bit), 1)
		}
		pending, zeros = nil, 0
	}
	for k := first; k <= last; k++ {
		c := block[diagonals[k]]
		size := max(c, -c)
		switch {
		case size > 1:
			pending = append(pending, size&1)
		case size == 1:
			w.symbol(&others, byte(zeros<<4|1))
			w.put(uint64((c+1)/2), 1) // 1 if it is positive
			flush()
		default:
			if zeros++; zeros == 16 && k < newest {
				w.symbol(&others, 15<<4)
				flush()
			}
		}
	}
	if zeros > 0 || len(pending) > 0 {
		w.symbol(&others, 0)
		flush()
	}
}

// stored returns sample x, y of component i by the definition of the cosine transform.
func (p *picture) stored(i, x, y int) float64 {
	wide, _ := p.blocks(i)
	block := &p.coefficients[i][y/8*wide+x/8]
	sum := 0.0
	for k, c := range block {
		if c == 0 {
			continue
		}
		wave := func(at, frequency int) float64 {
			if frequency == 0 {
				return math.Sqrt(0.125)
			}
			return 0.5 * math.Cos(float64((2*at+1)*frequency)*math.Pi/16)
		}
		sum += quantizer * float64(c) * wave(x%8, k%8) * wave(y%8, k/8)
	}
	return min(max(sum+128, 0), 255)
}

// planes returns what the stored samples of each component are, computed once.
func (p *picture) planes() [][]float64 {
	var planes [][]float64
	for i := range p.factors {
		width, height := p.samples(i)
		plane := make([]float64, width*height)
		for at := range plane {
			plane[at] = p.stored(i, at%width, at/width)
		}
		planes = append(planes, plane)
	}
	return planes
}

// at returns what component i is at pixel x, y: where two pixels share a sample, that counts three quarters and the nearest other a quarter;
// else it is the shared sample itself.
func (p *picture) at(plane []float64, i, x, y int) float64 {
	h, v := p.largest()
	acrossX, down := h/p.factors[i][0], v/p.factors[i][1]
	width, height := p.samples(i)
	mixesX, mixesY := acrossX == 2 && down <= 2 && width > 2, down == 2 && (acrossX == 1 || acrossX == 2 && width > 2)
	sum := 0.0
	for dy := -1; dy <= 1; dy++ {
		for dx := -1; dx <= 1; dx++ {
			weight := weightOf(mixesX, x, dx) * weightOf(mixesY, y, dy)
			if weight > 0 {
				sum += weight * plane[min(max(y/down+dy, 0), height-1)*width+min(max(x/acrossX+dx, 0), width-1)]
			}
		}
	}
	return sum
}

// weightOf returns the weight, in a pixel, of the sample at distance d from the nearest one.
func weightOf(mixes bool, pixel, d int) float64 {
	switch {
	case !mixes && d == 0:
		return 1
	case !mixes:
		return 0
	case d == 0:
		return 0.75
	case d == pixel%2*2-1:
		return 0.25
	}
	return 0
}
