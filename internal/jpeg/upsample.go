package jpeg

// row returns line y of a component, one sample for each pixel. The result is the component's own memory, or in room, which has
// as many samples as the image is wide. If two pixels share a sample, across or down, a pixel is three quarters of its sample
// plus a quarter of the next one, rounded up and down in turn. Otherwise, and in images of a few pixels, samples are repeated.
// libjpeg does the same.
func (m *Image) row(c *component, y int, room []uint8) []uint8 {
	line := func(y int) []uint8 { return c.samples[min(max(y, 0), c.height-1)*c.stride:][:c.width] }
	mixes := c.width > 2 // in a line
	switch {
	case c.acrossX == 1 && c.down == 1:
		return line(y)
	case c.acrossX == 2 && c.down == 1 && mixes:
		mixAcross(room, line(y))
	case c.acrossX == 1 && c.down == 2:
		mixDown(room, line(y/2), line(y/2-1+y%2*2), 1+y%2)
	case c.acrossX == 2 && c.down == 2 && mixes:
		mixBoth(room, line(y/2), line(y/2-1+y%2*2))
	default:
		near := line(y / c.down)
		for x := range room[:m.width] {
			room[x] = near[x/c.acrossX]
		}
	}
	return room[:m.width]
}

// mixAcross writes two samples for each of a line.
func mixAcross(out, in []uint8) {
	n := len(in)
	last := int(in[0])
	out[0] = in[0]
	for x := 1; x < n; x++ {
		v := int(in[x])
		out[2*x-1] = uint8((3*last + v + 2) >> 2)
		out[2*x] = uint8((3*v + last + 1) >> 2)
		last = v
	}
	if len(out) == 2*n {
		out[2*n-1] = in[n-1]
	}
}

// mixDown writes a line between two.
func mixDown(out, near, far []uint8, bias int) {
	far, out = far[:len(near)], out[:len(near)]
	for x, v := range near {
		out[x] = uint8((3*int(v) + int(far[x]) + bias) >> 2)
	}
}

// mixBoth writes a line between two, with two samples for each of theirs.
func mixBoth(out, near, far []uint8) {
	n := len(near)
	far = far[:n]
	last := 3*int(near[0]) + int(far[0])
	out[0] = uint8((4*last + 8) >> 4)
	for x := 1; x < n; x++ {
		v := 3*int(near[x]) + int(far[x])
		out[2*x-1] = uint8((3*last + v + 7) >> 4)
		out[2*x] = uint8((3*v + last + 8) >> 4)
		last = v
	}
	if len(out) == 2*n {
		out[2*n-1] = uint8((4*last + 7) >> 4)
	}
}
