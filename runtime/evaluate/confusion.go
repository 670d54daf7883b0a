package evaluate

import (
	"cmp"
	"slices"
)

// Confusion counts which classes a model takes for which.
type Confusion struct{ counts map[[2]int]int }

// Pair is a class, the class that the model took images of it for, and how many.
type Pair struct{ Label, Class, Images int }

// Add counts an image. It fits Options.Classified.
func (c *Confusion) Add(label, class int) {
	if c.counts == nil {
		c.counts = map[[2]int]int{}
	}
	c.counts[[2]int{label, class}]++
}

// Count returns how many images of a label were taken for a class.
func (c *Confusion) Count(label, class int) int { return c.counts[[2]int{label, class}] }

// Images returns how many images of a label there are.
func (c *Confusion) Images(label int) (n int) {
	for pair, count := range c.counts {
		if pair[0] == label {
			n += count
		}
	}
	return n
}

// Mistakes returns the pairs of different classes, the most frequent first.
func (c *Confusion) Mistakes() []Pair {
	var list []Pair
	for pair, count := range c.counts {
		if pair[0] != pair[1] {
			list = append(list, Pair{pair[0], pair[1], count})
		}
	}
	slices.SortFunc(list, func(a, b Pair) int {
		return cmp.Or(cmp.Compare(b.Images, a.Images), cmp.Compare(a.Label, b.Label), cmp.Compare(a.Class, b.Class))
	})
	return list
}
