package architecture

import (
	"fmt"
	"maps"
	"slices"
)

// vggStages says how many convolutions each of the five stages has, for each depth in the paper's count (which includes three
// linear layers).
var vggStages = map[int][5]int{
	11: {1, 1, 2, 2, 2},
	13: {2, 2, 2, 2, 2},
	16: {2, 2, 3, 3, 3},
	19: {2, 2, 4, 4, 4},
}

// vgg is configurations A, B, D and E of Simonyan and Zisserman, "Very Deep Convolutional Networks for
// Large-Scale Image Recognition" (2014), with BatchNorm and, for small images, one linear layer after a
// global average pool instead of three. Layers are numbered as in torchvision's vgg11_bn to vgg19_bn.
var vgg = Architecture{
	Name:     "vgg",
	Doc:      "VGG with BatchNorm and one linear layer (Simonyan and Zisserman 2014); depth 11, 13, 16 or 19",
	Defaults: Options{Depth: 11, Width: 64, Classes: 10, Channels: 3, ImageHeight: 32, ImageWidth: 32},
	depth:    oneOf(slices.Sorted(maps.Keys(vggStages))...),
	width:    atLeast(1),
	minImage: 32,
	build:    buildVGG,
}

func buildVGG(n *network, x featureMaps, o Options) featureMaps {
	layer := 0
	next := func() string {
		layer++
		return fmt.Sprintf("features.%d", layer-1)
	}
	for stage, convs := range vggStages[o.Depth] {
		filters := o.Width << min(stage, 3)
		for range convs {
			x = n.conv(next(), x, filters, window{3, 1, 1})
			x = n.batchNorm(next(), x)
			x = n.relu(next(), x)
		}
		x = n.maxPool(next(), x, window{2, 2, 0})
	}
	return n.linear("classifier", n.flatten("flatten", n.globalAveragePool("avgpool", x)), o.Classes)
}
