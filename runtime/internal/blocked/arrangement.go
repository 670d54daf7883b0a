package blocked

import (
	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// rowWidth returns the width to which rows of w columns are filled up: whole blocks, or such a part of a block that images
// side by side fill it.
func (l *lowering) rowWidth(images, w int64) int64 {
	for w%l.block != 0 && (l.block%w != 0 || images%(l.block/w) != 0) {
		w++
	}
	return w
}

// arrangement is how images are put together for rowProduct: in blocks of some that lie side by side, and those in groups.
type arrangement struct {
	*lowering
	groups, together, beside int64
}

// arrange puts so many images into a group that its result is small beside what it is made of: a matrix of r × q numbers, from
// r and q for each place of an image.
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

// imagesUnderMaps brings v [N, C/B, H, W, B] into the layout [G, C/B, blocks of a group, H, images of a block, W, B]: images of a
// group below one another, row by row where they lie side by side.
func (a arrangement) imagesUnderMaps(v value) value {
	s := shapeOf(v)
	if a.groups == s[0] {
		return v
	}
	v = a.reshape(v, a.groups, a.together, a.beside, s[1]/a.block, s[2], s[3]*a.block)
	return a.reshape(a.transpose(v, 0, 3, 1, 4, 2, 5), a.groups, s[1], a.together*s[2]*a.beside, s[3])
}

// columnsInBlocks brings copies of an image [N, C, H, W], in the layout [N, C/B, copies, H, W, B], into that of
// [blocks of images, H, W/B, copies, C, B columns].
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
