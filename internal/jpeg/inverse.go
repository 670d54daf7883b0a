package jpeg

// zigzag has the places of coefficients in a block, in the order in which they are stored.
var zigzag = [64]uint8{
	0, 1, 8, 16, 9, 2, 3, 10,
	17, 24, 32, 25, 18, 11, 4, 5,
	12, 19, 26, 33, 40, 48, 41, 34,
	27, 20, 13, 6, 7, 14, 21, 28,
	35, 42, 49, 56, 57, 50, 43, 36,
	29, 22, 15, 23, 30, 37, 44, 51,
	58, 59, 52, 45, 38, 31, 39, 46,
	53, 60, 61, 54, 47, 55, 62, 63,
}

// The factors of the transform times 2^13, as libjpeg's accurate integer transform rounds them.
const (
	constBits = 13
	passBits  = 2 // of fraction that the first pass keeps

	f0_298631336 = 2446
	f0_390180644 = 3196
	f0_541196100 = 4433
	f0_765366865 = 6270
	f0_899976223 = 7373
	f1_175875602 = 9633
	f1_501321110 = 12299
	f1_847759065 = 15137
	f1_961570560 = 16069
	f2_053119869 = 16819
	f2_562915447 = 20995
	f3_072711026 = 25172
)

// inverse computes the samples of a block from its coefficients in natural order. The coefficients after last in zigzag order
// must be 0. It is the inverse cosine transform of Loeffler, Ligtenberg and Moschytz (1989), with exactly the bits of libjpeg.
func inverse(block *[64]int32, last int, samples []uint8, stride int) {
	if last == 0 {
		v := level((block[0]<<passBits + 1<<(passBits+2)) >> (passBits + 3))
		for y := range 8 {
			row := samples[y*stride:][:8]
			for x := range row {
				row[x] = v
			}
		}
		return
	}
	for x := range 8 {
		c := block[x:][:57]
		if c[8]|c[16]|c[24]|c[32]|c[40]|c[48]|c[56] == 0 {
			v := c[0] << passBits
			c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56] = v, v, v, v, v, v, v, v
			continue
		}
		a, b := halves(c[0], c[8], c[16], c[24], c[32], c[40], c[48], c[56])
		const down, half = constBits - passBits, 1 << (constBits - passBits - 1)
		c[0], c[56] = (a[0]+b[0]+half)>>down, (a[0]-b[0]+half)>>down
		c[8], c[48] = (a[1]+b[1]+half)>>down, (a[1]-b[1]+half)>>down
		c[16], c[40] = (a[2]+b[2]+half)>>down, (a[2]-b[2]+half)>>down
		c[24], c[32] = (a[3]+b[3]+half)>>down, (a[3]-b[3]+half)>>down
	}
	for y := range 8 {
		c, row := block[8*y:][:8], samples[y*stride:][:8]
		a, b := halves(c[0], c[1], c[2], c[3], c[4], c[5], c[6], c[7])
		const down, half = constBits + passBits + 3, 1 << (constBits + passBits + 2)
		row[0], row[7] = level((a[0]+b[0]+half)>>down), level((a[0]-b[0]+half)>>down)
		row[1], row[6] = level((a[1]+b[1]+half)>>down), level((a[1]-b[1]+half)>>down)
		row[2], row[5] = level((a[2]+b[2]+half)>>down), level((a[2]-b[2]+half)>>down)
		row[3], row[4] = level((a[3]+b[3]+half)>>down), level((a[3]-b[3]+half)>>down)
	}
}

// halves returns the parts of a transform of 8 numbers that come from the even and from the odd of them: output i is even
// plus odd, output 7-i is even minus odd.
func halves(c0, c1, c2, c3, c4, c5, c6, c7 int32) (even, odd [4]int32) {
	z := (c2 + c6) * f0_541196100
	t2, t3 := z-c6*f1_847759065, z+c2*f0_765366865
	t0, t1 := (c0+c4)<<constBits, (c0-c4)<<constBits
	even = [4]int32{t0 + t3, t1 + t2, t1 - t2, t0 - t3}

	z1, z2, z3, z4 := c7+c1, c5+c3, c7+c3, c5+c1
	z5 := (z3 + z4) * f1_175875602
	z1, z2 = -z1*f0_899976223, -z2*f2_562915447
	z3, z4 = z5-z3*f1_961570560, z5-z4*f0_390180644
	odd = [4]int32{c1*f1_501321110 + z1 + z4, c3*f3_072711026 + z2 + z3, c5*f2_053119869 + z2 + z4, c7*f0_298631336 + z1 + z3}
	return even, odd
}

// level returns the sample for a number around 0.
func level(v int32) uint8 {
	v += 128
	if uint32(v) < 256 {
		return uint8(v)
	}
	return uint8(^(v >> 31)) // 0 or 255
}
