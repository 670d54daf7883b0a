package gradient

import (
	"fmt"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// BatchStatistics emits the mean and the biased variance of each channel of x [N, C, …] over the batch and space, both of shape
// [1, C, 1…]. It also returns centered = x - mean.
func BatchStatistics(b *onnxgraph.Builder, x *onnxgraph.Value) (centered, mean, variance *onnxgraph.Value) {
	shape, _ := x.StaticShape()
	return (&call{b: b}).moments(x, append([]int64{0}, sequence(2, len(shape)-2)...)...)
}

// batchNormRule differentiates y = γ·(x - μ)·r + β with r = 1/sqrt(σ² + ε).
//
// With frozen statistics (inference) μ and σ² are constants:
//
//	dx = dy·γ·r    dγ = Σ dy·(x - μ)·r    dβ = Σ dy
//
// In training mode they are the statistics of the batch, with M elements per channel, and depend on x (Ioffe & Szegedy 2015,
// section 3):
//
//	dx = γ·r·(dy - dβ/M - (x - μ)·r·dγ/M)
func batchNormRule(c *call) []value {
	x, gamma := c.in(0), c.in(1)
	shape := c.shape(x)
	perChannel := func(v value) value {
		return c.reshape(v, append([]int64{1, shape[1]}, repeat(1, len(shape)-2)...)...)
	}
	axes := append([]int64{0}, sequence(2, len(shape)-2)...)
	training := c.Node.Int("training_mode", 0) != 0
	var centered, variance value // per channel, of shape [1, C, 1…]
	if training {
		centered, _, variance = BatchStatistics(c.b, x)
	} else {
		centered, variance = c.sub(x, perChannel(c.in(3))), perChannel(c.in(4))
	}
	r := c.inverseDeviation(variance, float64(c.Node.Float("epsilon", 1e-5)))
	scale := c.mul(perChannel(gamma), r)
	dbeta := c.sum(c.dy(), true, axes...)
	dgamma := c.mul(c.sum(c.mul(c.dy(), centered), true, axes...), r)
	dx := c.mul(c.dy(), scale)
	if training {
		m := float64(onnxgraph.ElementCount(shape) / shape[1])
		slope := c.scale(c.mul(scale, c.mul(r, dgamma)), -1/m)
		shift := c.scale(c.mul(scale, dbeta), -1/m)
		dx = c.add(dx, c.add(c.mul(centered, slope), shift))
	}
	return []value{dx, c.reshape(dgamma, shape[1]), c.reshape(dbeta, shape[1])}
}

func batchNormOnly(c *call) string {
	for i := 3; i <= 4; i++ {
		if c.needs(i) {
			return fmt.Sprintf("its running statistics %q depend on what trains: give it statistics that are constants", c.in(i).Name())
		}
	}
	return ""
}

// LowerBatchNorm replaces a BatchNormalization in training mode by ordinary operators, because not every execution provider
// supports that mode, and removes the node. It returns the values with the mean and the biased variance of the batch, both of
// shape [1, C, 1…]. Call it after Of, whose rule needs the node; with the same builder as Of, the values that both compute exist
// only once in the graph.
func LowerBatchNorm(b *onnxgraph.Builder, n *onnxgraph.Node) (mean, variance *onnxgraph.Value) {
	c := &call{Node: n, b: b}
	shape := c.shape(c.y())
	perChannel := append([]int64{1, shape[1]}, repeat(1, len(shape)-2)...)
	centered, mean, variance := BatchStatistics(b, c.x())
	r := c.inverseDeviation(variance, float64(n.Float("epsilon", 1e-5)))
	scale := c.mul(c.reshape(c.in(1), perChannel...), r)
	y := c.add(c.mul(centered, scale), c.reshape(c.in(2), perChannel...))
	y.SetType(c.dtype(), onnxgraph.Static(shape...))
	onnxgraph.ReplaceUses(c.y(), y)
	n.Graph().Remove(n)
	return mean, variance
}
