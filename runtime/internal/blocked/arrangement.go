package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// rowWidth returns the width to which rows of w columns are padded: a multiple of the block, or a fraction of a block that images
// side by side fill completely.
func (l *lowering) rowWidth(images, w int64) int64 {
	for w%l.block != 0 && (l.block%w != 0 || images%(l.block/w) != 0) {
		w++
	}
	return w
}

// arrangement says how images are combined for rowProduct: several images side by side form a block, and several blocks form a
// group.
type arrangement struct {
	*lowering
	groups, together, beside int64
}

// arrange chooses the number of images in a group so that the group's result, a matrix of r × q numbers, is small compared with
// its operands, which have r and q numbers for each position of an image.
func (l *lowering) arrange(images, rows, width, r, q int64) arrangement {
	beside := max(1, l.block/width)
	blocks := images / beside
	isSmall := func(together int64) bool { return 4*r*q <= (r+q)*rows*width*beside*together }
	together := int64(1)
	for blocks%together != 0 || together < blocks && !isSmall(together) {
		together++
	}
	return arrangement{l, blocks / together, together, beside}
}

// imagesUnderMaps rearranges v [N, C/B, H, W, B] to [G, C/B, blocks of a group, H, images of a block, W, B]: the blocks of a
// group are below one another, and the images of a block are side by side in each row.
func (a arrangement) imagesUnderMaps(v value) value {
	s := shapeOf(v)
	if a.groups == s[0] {
		return v
	}
	v = a.reshape(v, a.groups, a.together, a.beside, s[1]/a.block, s[2], s[3]*a.block)
	return a.reshape(a.transpose(v, 0, 3, 1, 4, 2, 5), a.groups, s[1], a.together*s[2]*a.beside, s[3])
}

// columnsInBlocks rearranges copies of an image [N, C, H, W] from the layout [N, C/B, copies, H, W, B] to [blocks of images, H,
// W/B, copies, C, B columns].
func (a arrangement) columnsInBlocks(v value, s []int64, copies int64) value {
	width, maps, blocks := shapeOf(v)[3], s[1]/a.block, s[0]/a.beside
	rows := s[2] * max(1, width/a.block)
	switch {
	case a.beside*copies > 1:
		v = a.reshape(v, blocks, a.beside, maps, copies, rows, min(width, a.block)*a.block)
		v = a.transpose(v, 0, 4, 3, 2, 1, 5)
	case maps > 1:
		v = a.reshape(a.plainLayout(v), s[0], s[1], 1, s[2]*width)
		return a.nchwc("ReorderInput", []value{v}, onnxgraph.Int("channels_last", 1))
	}
	return a.nchwc("ReorderInput", []value{a.reshape(v, blocks*rows*copies*maps, a.block, 1, a.block)})
}
