package jpeg

// refine adds to a block's coefficients what a progressive scan holds of them (T.81, annex G).
func (d *decoder) refine(s scan, c *component, block *[64]int16) error {
	switch {
	case s.first > 0 && s.high == 0:
		return d.firstOfBand(s, c, block)
	case s.first > 0:
		return d.nextOfBand(s, c, block)
	case s.high > 0:
		d.bits.fill()
		block[0] |= int16(d.bits.take(1) << s.low)
		return nil
	}
	change, err := d.bits.change(c.dc)
	if err != nil {
		return err
	}
	c.prediction += change
	block[0] = int16(c.prediction << s.low)
	return nil
}

// firstOfBand reads the high bits of a band.
func (d *decoder) firstOfBand(s scan, c *component, block *[64]int16) error {
	if d.endOfBand > 0 {
		d.endOfBand--
		return nil
	}
	for k := s.first; k <= s.last; k++ {
		symbol, err := d.bits.symbol(c.ac)
		if err != nil {
			return err
		}
		zeros, size := int(symbol>>4), symbol&15
		if size == 0 {
			if zeros < 15 {
				d.endOfBand = d.run(zeros) - 1
				return nil
			}
			k += zeros
			continue
		}
		if k += zeros; k > s.last {
			return errCode
		}
		block[zigzag[k]] = int16(d.bits.number(size) << s.low)
	}
	return nil
}

// run returns for how many blocks, from the current one on, there are no more new coefficients.
func (d *decoder) run(size int) int { return 1<<size + int(d.bits.take(uint(size))) }

// nextOfBand reads one more bit of a band: bits of the coefficients that are not 0, and new coefficients, each after a number of
// coefficients that stay 0.
func (d *decoder) nextOfBand(s scan, c *component, block *[64]int16) error {
	bit := int16(1) << s.low
	k := s.first
	if d.endOfBand == 0 {
		for ; k <= s.last; k++ {
			symbol, err := d.bits.symbol(c.ac)
			if err != nil {
				return err
			}
			zeros, fresh := int(symbol>>4), int16(0)
			switch symbol & 15 {
			case 0:
				if zeros < 15 {
					d.endOfBand = d.run(zeros)
				}
			case 1:
				if fresh = -bit; d.bits.take(1) == 1 {
					fresh = bit
				}
			default:
				return errCode
			}
			if d.endOfBand > 0 {
				break
			}
			if k = d.correct(block, k, s.last, zeros, bit); k > s.last {
				if fresh != 0 {
					return errCode
				}
				break
			}
			block[zigzag[k]] = fresh
		}
	}
	if d.endOfBand > 0 {
		d.endOfBand--
		d.correct(block, k, s.last, 64, bit)
	}
	return nil
}

// correct starts at coefficient k and reads a bit for each coefficient that is not 0, until it has passed the given number of
// zeros. It returns the position of the next zero.
func (d *decoder) correct(block *[64]int16, k, last, zeros int, bit int16) int {
	for ; k <= last; k++ {
		v := &block[zigzag[k]]
		if *v == 0 {
			if zeros == 0 {
				break
			}
			zeros--
			continue
		}
		d.bits.fill()
		if d.bits.take(1) == 0 || *v&bit != 0 {
			continue
		}
		if *v > 0 {
			*v += bit
		} else {
			*v -= bit
		}
	}
	return k
}

// transformAll computes the samples of a component whose coefficients are all known.
func (d *decoder) transformAll(c *component) {
	var block [64]int32
	for i := range c.coefficients {
		for k, v := range c.coefficients[i] {
			block[k] = int32(v) * c.quant[k]
		}
		inverse(&block, 63, c.samples[8*(i/c.blocks*c.stride+i%c.blocks):], c.stride)
	}
	c.coefficients = nil
}
