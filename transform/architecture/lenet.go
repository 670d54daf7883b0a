package architecture

// leNet is LeNet-5 of LeCun et al., "Gradient-Based Learning Applied to Document Recognition" (1998), with ReLU and max pooling.
// It is made for images of 32×32 pixels. Smaller images get a border of 2 pixels, like the 28×28 digits in the paper.
var leNet = Architecture{
	Name:     "lenet",
	Doc:      "LeNet-5 with ReLU and max pooling (LeCun et al. 1998); depth 5, width of conv1 a multiple of 3, 6 in the paper",
	Defaults: Options{Depth: 5, Width: 6, Classes: 10, Channels: 1, ImageHeight: 28, ImageWidth: 28},
	depth:    oneOf(5),
	width:    domain{func(w int) bool { return w >= 3 && w%3 == 0 }, "a multiple of 3, such as 6"},
	minImage: 12,
	build:    buildLeNet,
}

func buildLeNet(n *network, x featureMaps, o Options) featureMaps {
	first := window{5, 1, 0}
	if min(o.ImageHeight, o.ImageWidth) < 32 {
		first.pad = 2
	}
	half := window{2, 2, 0}
	x = n.convBias("conv1", x, o.Width, first)
	x = n.maxPool("pool1", n.relu("relu1", x), half)
	x = n.convBias("conv2", x, o.Width/3*8, window{5, 1, 0})
	x = n.maxPool("pool2", n.relu("relu2", x), half)
	x = n.linear("fc1", n.flatten("flatten", x), 20*o.Width)
	x = n.linear("fc2", n.relu("relu3", x), 14*o.Width)
	return n.linear("fc3", n.relu("relu4", x), o.Classes)
}
