package filterstats

import "slices"

// HeatMap says where in the kernel a model's filters vary: for each position, it has the variance of the weights there over all
// kernels of one size. Before that, the weights of each layer are divided by their standard deviation, so that layers count
// alike, whatever the size of their weights. Random filters vary evenly, learned ones most in the center.
type HeatMap struct {
	Kernel   []int     `json:"kernel"`   // the kernel's size along each axis
	Kernels  int       `json:"kernels"`  // how many kernels of that size the model has, without those of Stats.AllEqual
	Variance []float64 `json:"variance"` // one number for each position, in the order of a kernel's weights
}

// heat gathers the heat maps of a model, one for each kernel size, in the order in which the sizes first come.
type heat struct{ maps []*moments }

// moments are the mean of kernels and the sum of squared differences from it, at each position.
type moments struct {
	kernel        []int
	count         float64
	mean, squares []float64
}

// add adds the filters of a layer, divided by the standard deviation of all its weights, as in Gavrikov & Keuper, "The Power of
// Linear Combinations" (2023). If the weights are all equal, that deviation is 0: add then adds nothing, and reports false.
func (h *heat) add(f Filters) bool {
	if slices.Min(f.Weights) == slices.Max(f.Weights) {
		return false
	}
	deviation := deviation(f.Weights)
	layer := moments{kernel: f.Kernel, count: float64(f.Kernels()), mean: make([]float64, f.taps()), squares: make([]float64, f.taps())}
	for i := range f.Kernels() {
		for tap, w := range f.kernel(i) {
			layer.mean[tap] += w / deviation / layer.count
		}
	}
	for i := range f.Kernels() {
		for tap, w := range f.kernel(i) {
			d := w/deviation - layer.mean[tap]
			layer.squares[tap] += d * d
		}
	}
	if i := slices.IndexFunc(h.maps, func(m *moments) bool { return slices.Equal(m.kernel, f.Kernel) }); i >= 0 {
		h.maps[i].add(layer)
	} else {
		h.maps = append(h.maps, &layer)
	}
	return true
}

// add adds more kernels of the same size.
func (m *moments) add(other moments) {
	count := m.count + other.count
	for tap := range m.mean {
		d := other.mean[tap] - m.mean[tap]
		m.mean[tap] += d * other.count / count
		m.squares[tap] += other.squares[tap] + d*d*m.count*other.count/count
	}
	m.count = count
}

// result returns the maps. Variances are those of a population: divided by n, not n - 1.
func (h *heat) result() []HeatMap {
	list := []HeatMap{}
	for _, m := range h.maps {
		variance := make([]float64, len(m.squares))
		for tap, s := range m.squares {
			variance[tap] = s / m.count
		}
		list = append(list, HeatMap{Kernel: m.kernel, Kernels: int(m.count), Variance: variance})
	}
	return list
}

// Center returns the mean variance in the middle of the kernel, which is two positions wide along an axis of even size and else
// one, and the mean variance at all other positions. The latter is nil if there are none, as in a 2×2 kernel.
func (h HeatMap) Center() (center float64, elsewhere *float64) {
	var sums, counts [2]float64
	for position, v := range h.Variance {
		part, rest := 0, position
		for axis := len(h.Kernel) - 1; axis >= 0; axis-- {
			size := h.Kernel[axis]
			if at := rest % size; at != (size-1)/2 && at != size/2 {
				part = 1
			}
			rest /= size
		}
		sums[part] += v
		counts[part]++
	}
	if counts[1] > 0 {
		mean := sums[1] / counts[1]
		elsewhere = &mean
	}
	return sums[0] / counts[0], elsewhere
}
