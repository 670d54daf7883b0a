package evaluate

import (
	"cmp"
	"slices"
)

// Confusion is a confusion matrix: it counts which class a model predicts for the images of each class.
type Confusion struct{ counts map[[2]int]int }

// Pair counts the images with one label for which the model predicted a certain class.
type Pair struct{ Label, Class, Images int }

// Add counts an image. It fits Options.Classified.
func (c *Confusion) Add(label, class int) {
	if c.counts == nil {
		c.counts = map[[2]int]int{}
	}
	c.counts[[2]int{label, class}]++
}

// Count returns for how many images of a label the model predicted a class.
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

// Mistakes returns the confused pairs of classes, the most frequent first.
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
