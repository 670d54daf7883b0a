package filterstats

// negligible is the share of the largest weight of a layer below which all weights of a sparse kernel are.
const negligible = 0.01

// Sparsity returns the share of kernels that do almost nothing, from 0 to 1: those in which the magnitude of every weight is
// below 1 % of the layer's largest. In a layer of zeros all kernels are sparse. The definition is that of Gavrikov & Keuper, "CNN
// Filter DB" (CVPR 2022).
func (f Filters) Sparsity() float64 {
	return 1 - float64(f.withoutSparse().Kernels())/float64(f.Kernels())
}

// withoutSparse returns the kernels that are not sparse, as filters of one channel.
func (f Filters) withoutSparse() Filters {
	kept := Filters{Kernel: f.Kernel, Channels: 1}
	most := largest(f.Weights)
	for i := range f.Kernels() {
		if peak := largest(f.kernel(i)); peak > 0 && peak >= most*negligible {
			kept.Weights = append(kept.Weights, f.kernel(i)...)
		}
	}
	return kept
}
