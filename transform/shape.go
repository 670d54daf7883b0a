package transform

import (
	"fmt"
	"math"
	"slices"

	"github.com/rcfreeze/rcfreeze/internal/projection"
	"github.com/rcfreeze/rcfreeze/transform/weights"
)

// shape has the numbers that determine all sizes of a block. The source has groups·out filters of in channels.
type shape struct {
	layout    Layout
	expansion int
	groups    int
	out, in   int // per group
	kernel    []int
}

// mapsPerGroup is the number of bank filters that the 1×1 convolution mixes in each group.
func (s shape) mapsPerGroup() int {
	if s.layout == Depthwise {
		return s.in * s.expansion
	}
	return s.out * s.expansion
}

// bankDims are those of the bank: filters × channels that one filter sees × kernel.
func (s shape) bankDims() []int {
	channels := s.in
	if s.layout == Depthwise {
		channels = 1
	}
	return append([]int{s.groups * s.mapsPerGroup(), channels}, s.kernel...)
}

// bankGroups is the number of groups of the bank's convolution.
func (s shape) bankGroups() int {
	if s.layout == Depthwise {
		return s.groups * s.in
	}
	return s.groups
}

// pointwiseDims are those of the 1×1 convolution's weight: filters × maps per group × 1 along each axis.
func (s shape) pointwiseDims() []int {
	return append([]int{s.groups * s.out, s.mapsPerGroup()}, slices.Repeat([]int{1}, len(s.kernel))...)
}

// cost returns the numbers of parameters of a block, without its bias.
func (s shape) cost(b Between) Cost {
	cost := Cost{Bank: int64(weights.Product(s.bankDims())), Trainable: int64(weights.Product(s.pointwiseDims()))}
	if b == BatchNorm || b == BatchNormReLU {
		cost.Trainable += 2 * int64(s.bankDims()[0])
	}
	return cost
}

// macs returns the multiply-accumulates of a block for the given number of positions.
func (s shape) macs(positions int64) int64 {
	return int64(weights.Product(s.bankDims())+weights.Product(s.pointwiseDims())) * positions
}

// reasonAgainstSize says why a block is too large, "" if it is not. If a pointwise weight is far larger than the filters for any
// expansion, a source of a few kilobytes could use up all memory.
func (s shape) reasonAgainstSize() string {
	const tolerable, timesSource = 1 << 26, 16 // numbers
	if s.layout == Depthwise {
		return ""
	}
	source, pointwise := weights.Product(s.sourceDims()), s.groups*s.out*s.out
	if pointwise <= tolerable || pointwise/timesSource <= source {
		return ""
	}
	return fmt.Sprintf("its 1×1 convolution would have %d weights, the filters have %d: choose layout depthwise", pointwise, source)
}

// sourceDims returns the dims of the combined filters.
func (s shape) sourceDims() []int {
	return append([]int{s.groups * s.out, s.in}, s.kernel...)
}

// project returns the pointwise weights whose combined filters are closest to w, and the bank's condition number: the largest of
// all parts that are solved separately.
func (s shape) project(w, bank []float64) (p []float64, condition float64, err error) {
	taps := weights.Product(s.kernel)
	if s.layout == Dense {
		found, err := projection.ProjectGroups(w, bank, s.groups, s.out, s.mapsPerGroup(), s.in*taps)
		return found.P, found.Condition, err
	}
	for g := range s.groups {
		found, err := projection.ProjectChannels(group(w, g, s.groups), group(bank, g, s.groups), s.in, s.out, s.expansion, taps)
		if err != nil {
			return nil, 0, err
		}
		p, condition = append(p, found.P...), max(condition, found.Condition)
	}
	return p, condition, nil
}

// combine returns the combined filters W = P·R.
func (s shape) combine(p, bank []float64) ([]float64, error) {
	taps := weights.Product(s.kernel)
	if s.layout == Dense {
		return projection.CombineGroups(p, bank, s.groups, s.out, s.mapsPerGroup(), s.in*taps)
	}
	var all []float64
	for g := range s.groups {
		w, err := projection.CombineChannels(group(p, g, s.groups), group(bank, g, s.groups), s.in, s.out, s.expansion, taps)
		if err != nil {
			return nil, err
		}
		all = append(all, w...)
	}
	return all, nil
}

// dense returns the bank's filters over all input channels of their group: [groups·maps × in·taps].
func (s shape) dense(bank []float64) []float64 {
	if s.layout == Dense {
		return bank
	}
	taps := weights.Product(s.kernel)
	wide := make([]float64, len(bank)*s.in)
	for filter := range len(bank) / taps {
		channel := filter / s.expansion % s.in
		copy(wide[(filter*s.in+channel)*taps:], bank[filter*taps:(filter+1)*taps])
	}
	return wide
}

// group returns part g of data, which consists of groups equal parts.
func group(data []float64, g, groups int) []float64 {
	size := len(data) / groups
	return data[g*size : (g+1)*size]
}

// identity returns the pointwise weights that copy each bank filter. There must be as many bank filters as source filters.
func (s shape) identity() []float64 {
	p := make([]float64, weights.Product(s.pointwiseDims()))
	for o := range s.groups * s.out {
		p[o*s.out+o%s.out] = 1
	}
	return p
}

// workspace estimates the bytes that the projection needs at its peak.
func (s shape) workspace() int64 {
	j, n := float64(s.mapsPerGroup()), float64(s.in*weights.Product(s.kernel))
	if s.layout == Depthwise {
		j, n = float64(s.expansion), float64(weights.Product(s.kernel))
	}
	numbers := 4*float64(weights.Product(s.sourceDims())) + 3*float64(weights.Product(s.bankDims())) + 3*float64(weights.Product(s.pointwiseDims())) +
		3*min(j, n)*min(j, n)
	return int64(min(8*numbers, math.MaxInt64/2))
}
