package dataset

import "math/rand/v2"

// sampler makes samples of one epoch; each goroutine has its own.
type sampler struct {
	loader     *Loader
	epoch      int
	source     rand.PCG
	random     *rand.Rand
	raw, spare []uint8
}

func newSampler(l *Loader, epoch int) *sampler {
	s := &sampler{loader: l, epoch: epoch}
	s.random = rand.New(&s.source)
	s.raw, s.spare = make([]uint8, l.data.Shape.Size()), make([]uint8, l.data.Shape.Size())
	return s
}

// write writes sample i, augmented and normalized, to dst.
func (s *sampler) write(dst []float32, i int) error {
	l := s.loader
	if err := l.data.Pixels(i, s.raw); err != nil {
		return err
	}
	s.source.Seed(sampleKey(l.options.Seed, s.epoch, i))
	for _, a := range l.options.Augment {
		a.apply(s.random, l.data.Shape, s.spare, s.raw)
		s.raw, s.spare = s.spare, s.raw
	}
	plane := l.data.Shape.plane()
	for c := range l.tables {
		table, from := &l.tables[c], s.raw[l.options.Normalize.from(c, len(l.tables))*plane:][:plane]
		to := dst[c*plane:][:len(from)]
		for j, v := range from {
			to[j] = table[v]
		}
	}
	return nil
}

// orderKey returns the key of the random numbers for the order of an epoch. It is the key of sample -1, which does not exist.
func orderKey(seed uint64, epoch int) (uint64, uint64) { return sampleKey(seed, epoch, -1) }

// sampleKey returns the key of the random numbers of one sample in one epoch.
func sampleKey(seed uint64, epoch, sample int) (uint64, uint64) {
	high := mix(mix(seed) + uint64(epoch))
	return high, mix(high + uint64(sample))
}

// mix scrambles the bits of x, so that neighboring keys give unrelated numbers. It is the output step of the SplitMix64 generator
// (Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
