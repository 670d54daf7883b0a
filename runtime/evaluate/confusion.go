package evaluate

import (
	"cmp"
	"slices"
)

// Confusion is a confusion matrix: it counts which class a model predicts for the images of each class.
type Confusion struct{ counts map[[2]int]int }

// Pair counts the images with one label for which the model predicted one class.
type Pair struct{ Label, Class, Images int }

// Add counts an image. It can be used as Options.Classified.
func (c *Confusion) Add(label, class int) {
	if c.counts == nil {
		c.counts = map[[2]int]int{}
	}
	c.counts[[2]int{label, class}]++
}

// Count returns how many images have the given label and the given predicted class.
func (c *Confusion) Count(label, class int) int { return c.counts[[2]int{label, class}] }

// Images returns how many images have the given label.
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
