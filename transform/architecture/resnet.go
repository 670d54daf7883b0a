package architecture

import "fmt"

// cifarResNet is the residual network for small images of He et al., "Deep Residual Learning for Image
// Recognition" (2015), section 4.2: a 3×3 stem, three stages of n basic blocks with widths W, 2W and 4W, and
// a linear layer, 6n+2 layers in all. Shortcuts where the shape changes are 1×1 convolutions (option B).
var cifarResNet = Architecture{
	Name:     "cifar-resnet",
	Doc:      "ResNet of 3 stages for small images (He et al. 2015); depth 6n+2, width of the first stage",
	Defaults: Options{Depth: 20, Width: 16, Classes: 10, Channels: 3, ImageHeight: 32, ImageWidth: 32},
	depth:    domain{func(d int) bool { return 8 <= d && d <= 1202 && d%6 == 2 }, "6n+2, such as 8, 14, 20, 32, 44, 56 or 110, up to 1202"},
	width:    atLeast(1),
	minImage: 4,
	build:    buildCIFARResNet,
}

func buildCIFARResNet(n *network, image featureMaps, o Options) featureMaps {
	x := n.conv("conv1", image, o.Width, window{3, 1, 1})
	x = n.relu("relu", n.batchNorm("bn1", x))
	for stage := range 3 {
		for block := range (o.Depth - 2) / 6 {
			stride := 1
			if stage > 0 && block == 0 {
				stride = 2
			}
			x = basicBlock(n, fmt.Sprintf("layer%d.%d", stage+1, block), x, o.Width<<stage, stride)
		}
	}
	return n.linear("fc", n.flatten("flatten", n.globalAveragePool("avgpool", x)), o.Classes)
}

// basicBlock is two 3×3 convolutions with a shortcut around them.
func basicBlock(n *network, name string, x featureMaps, filters, stride int) featureMaps {
	y := n.conv(name+".conv1", x, filters, window{3, stride, 1})
	y = n.relu(name+".relu1", n.batchNorm(name+".bn1", y))
	y = n.conv(name+".conv2", y, filters, window{3, 1, 1})
	y = n.batchNorm(name+".bn2", y)
	shortcut := x
	if x.channels != filters { // true wherever the stride is 2
		shortcut = n.batchNorm(name+".downsample.1", n.conv(name+".downsample.0", x, filters, window{1, stride, 0}))
	}
	return n.relu(name+".relu2", n.add(name+".add", y, shortcut))
}
