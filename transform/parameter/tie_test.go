package parameter_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestTies checks which constants of small networks stay together.
func TestTies(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []parameter.Separated
	}{
		"norms of two convolutions": {`
			Conv x w1 -> a
			BatchNormalization a g b m v -> c
			Conv c w2 -> d
			BatchNormalization d g b m v -> e`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"norms of one convolution, used twice": {`
			Conv x w1 -> a
			BatchNormalization a g b m v -> c
			Relu c -> d
			Conv d w1 -> e
			BatchNormalization e g b m v -> f`, nil},
		"one norm of two convolutions, with statistics": {`
			Conv x w1 -> a
			BatchNormalization a g b n v -> c
			Conv c w2 -> d
			BatchNormalization d g b n v -> e`, nil},
		"norms of other statistics, behind one convolution": {`
			Conv x w1 -> a
			BatchNormalization a g b n1 v -> c
			Conv c w1 -> d
			BatchNormalization d g b n2 v -> e`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"v", 2}}},
		"one behind the other": {`
			Conv x w1 -> a
			BatchNormalization a g b m v -> c
			BatchNormalization c g b m v -> d`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"two on one convolution": {`
			Conv x w1 -> a
			BatchNormalization a g b m v -> c
			BatchNormalization a g b m v -> d
			Add c d -> e`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"one norm within": {`
			Conv x w1 -> a
			BatchNormalization a g b b g -> c`,
			[]parameter.Separated{{"g", 2}, {"b", 2}}},
		"one convolution, with norms of their own by name": {`
			Conv x w1 -> a
			Identity g -> g2
			Identity b -> b2
			BatchNormalization a g b n1 n3 -> c
			Conv c w1 -> d
			BatchNormalization d g2 b2 n1 n3 -> e`, nil}, // statistics say that it is one
		"one convolution, with fresh norms of their own by name": {`
			Conv x w1 -> a
			Identity g -> g2
			Identity b -> b2
			BatchNormalization a g b m v -> c
			Conv c w1 -> d
			BatchNormalization d g2 b2 m v -> e`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"all of a layer by two names": {`
			Conv x w1 -> a
			Identity w1 -> w1b
			Identity g -> g2
			BatchNormalization a g b m v -> c
			Conv c w1b -> d
			BatchNormalization d g2 b m v -> e`, nil},
		"norms in front of one convolution, which has a weight by two names": {`
			BatchNormalization x g b m v -> a
			Conv a w1 -> c
			Identity w1 -> w1b
			BatchNormalization c g b m v -> d
			Conv d w1b -> e`, nil},
		"norms in front of one convolution": {`
			BatchNormalization x g b m v -> a
			Conv a w1 -> c
			Relu c -> d
			BatchNormalization d g b m v -> e
			Conv e w1 -> f`, nil}, // the first has no layer in front
		"norms of several inputs in front of one convolution": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			Conv a w1 -> c
			Add c i -> d
			BatchNormalization d g b m v -> e
			Conv e w1 -> f`, nil},
		"the same by two names": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			Conv a w1 -> c
			Add c i -> d
			Identity g -> g2
			BatchNormalization d g2 b m v -> e
			Conv e w1 -> f`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"the same, all of it by two names": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			Conv a w1 -> c
			Add c i -> d
			Identity g -> g2
			Identity w1 -> w1b
			BatchNormalization d g2 b m v -> e
			Conv e w1b -> f`, nil},
		"norms behind slopes of their own": {`
			Conv x w1 -> a
			PRelu a p -> c
			BatchNormalization c g b m v -> d
			Conv d w1 -> e
			Identity p -> p2
			PRelu e p2 -> f
			BatchNormalization f g b m v -> h`,
			[]parameter.Separated{{"p", 2}}},
		"norms in front of slopes of their own": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			PRelu a p -> c
			Conv c w1 -> d
			Add d i -> e
			BatchNormalization e g b m v -> f
			Identity p -> p2
			PRelu f p2 -> h
			Conv h w1 -> j`,
			[]parameter.Separated{{"p", 2}}},
		"norms in front of fresh ones": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			BatchNormalization a k l o q -> c
			Add c i -> d
			BatchNormalization d g b m v -> e
			BatchNormalization e k l o q -> f`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}, {"k", 2}, {"l", 2}, {"o", 2}, {"q", 2}}},
		"norms in front of different convolutions": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			Conv a w1 -> c
			Add c i -> d
			BatchNormalization d g b m v -> e
			Conv e w2 -> f`,
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
		"biases": {`
			Conv x w1 b -> a
			Conv a w2 b -> c
			Conv c w1 b -> d`,
			[]parameter.Separated{{"b", 2}}},
		"one slope all over": {`
			Conv x w1 -> a
			PRelu a g -> c
			Conv c w2 -> d
			PRelu d g -> e`, nil},
		"slopes by two names": {`
			Conv x w1 -> a
			PRelu a g -> c
			Identity g -> g2
			Conv c w2 -> d
			PRelu d g2 -> e`,
			[]parameter.Separated{{"g", 2}}},
		"norms behind one convolution and a Clip without a lower bound": {`
			Conv x w1 -> a
			Clip a _ s -> c
			BatchNormalization c g b m v -> d
			Conv d w1 -> e
			Clip e _ s -> f
			BatchNormalization f g b m v -> h`, nil},
		"norms in front of a Clip without a lower bound and one convolution": {`
			Add x x -> i
			BatchNormalization i g b m v -> a
			Clip a _ s -> c
			Conv c w1 -> d
			Add d i -> e
			BatchNormalization e g b m v -> f
			Clip f _ s -> h
			Conv h w1 -> j`, nil},
		"zeros that nodes make": {`
			ConstantOfShape dims -> z
			Conv x w1 -> a
			BatchNormalization a g z z v -> c
			Conv c w2 -> d
			BatchNormalization d g z z v -> e`,
			[]parameter.Separated{{"g", 2}, {"v", 2}, {"z", 4}}},
		"weights that nodes make": {`
			ConstantOfShape dims -> z
			Conv x w1 -> a
			PRelu a z -> c
			Conv c w2 -> d
			PRelu d z -> e`, nil},
		"biases that nodes bring into form": {`
			Reshape r dims -> b1
			Conv x w1 b1 -> a
			Reshape r dims -> b2
			Conv a w1 b2 -> c`, nil},
		"biases of two layers that nodes bring into form": {`
			Reshape r dims -> b1
			Conv x w1 b1 -> a
			Reshape r dims -> b2
			Conv a w2 b2 -> c`, nil},
		"biases that nodes bring into one form": {`
			Reshape e dims -> b1
			Conv x w1 b1 -> a
			Reshape e dims -> b2
			Conv a w2 b2 -> c`,
			[]parameter.Separated{{"e", 2}}},
		"scales computed by one node": {`
			Exp g -> h
			Conv x w1 -> a
			BatchNormalization a h b m v -> c
			Conv c w2 -> d
			BatchNormalization d h b m v -> e`,
			[]parameter.Separated{{"b", 2}, {"m", 2}, {"v", 2}}},
		"scales that a formula reads, too": {`
			Conv x w1 -> a
			BatchNormalization a g n1 n2 n3 -> c
			Exp g -> h
			Conv c w2 -> d
			BatchNormalization d g n4 n5 n6 -> e
			Div e h -> f`,
			[]parameter.Separated{{"g", 2}}},
		"scales by a third name": {`
			Identity g -> g2
			Identity g2 -> g3
			Conv x w1 -> a
			BatchNormalization a g3 n1 n2 n3 -> c
			Conv c w2 -> d
			BatchNormalization d g n4 n5 n6 -> e`,
			[]parameter.Separated{{"g", 2}}},
		"three layers": {`
			Conv x w1 b -> a
			Conv a w2 b -> c
			Conv c w3 b -> d`,
			[]parameter.Separated{{"b", 3}}},
		"biases in another type": {`
			Half w1 -> h
			Half b -> hb
			Half x -> hx
			Conv hx h hb -> a
			Half w2 -> h2
			Half b -> hb2
			Conv a h2 hb2 -> c`,
			[]parameter.Separated{{"b", 2}}},
		"norms before convolutions": {`
			Conv x w1 -> a
			BatchNormalization a g b m v -> c
			Relu c -> d
			Conv d w2 -> e
			Add a e -> f
			BatchNormalization f g b m v -> h
			Relu h -> i
			Conv i w3 -> j
			Add f j -> k
			BatchNormalization k g b m v -> l
			Relu l -> o
			Conv o w2 -> p`, // the first reads a convolution that the last does not, the last a sum
			[]parameter.Separated{{"g", 2}, {"b", 2}, {"m", 2}, {"v", 2}}},
	} {
		t.Run(strings.ReplaceAll(name, " ", "-"), func(t *testing.T) {
			m := transformtest.Sketch(t, c.text)
			got := parameter.Separate(m)
			byName := func(a, b parameter.Separated) int { return strings.Compare(a.Name, b.Name) }
			slices.SortFunc(got, byName)
			slices.SortFunc(c.want, byName)
			if !slices.Equal(got, c.want) {
				t.Errorf("separated %v, want %v", got, c.want)
			}
			for _, n := range m.Graph.Nodes() {
				for i := 1; n.Is("BatchNormalization") && i <= 4; i++ {
					if v := n.Input(i); v.Constant() == nil && !v.Producer().Is("Exp") {
						t.Errorf("input %d of %s is no constant", i, n)
					}
				}
			}
			if again := parameter.Separate(m); len(again) > 0 {
				t.Errorf("separated %v when all was separate", again)
			}
		})
	}
}

// TestSeparateForms has parameters that come to layers through nodes: those of one use become constants of their own in the form
// that the layer sees, under the name that it has there. One that layers share stays as the file has it, in its form and type.
func TestSeparateForms(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want []string // for each layer but Conv without bias: how its last input is seen
	}{
		"of one use, in another form": {`
			Reshape r dims -> b1
			Conv x w1 b1 -> a`, []string{"r float32 [4]"}},
		"of one layer twice, in another form": {`
			Reshape r dims -> b1
			Conv x w1 b1 -> a
			Reshape r dims -> b2
			Conv a w1 b2 -> c`, []string{"Reshape of r float32 [1 4]", "Reshape of r float32 [1 4]"}},
		"of one layer twice, by other names": {`
			Identity n -> n1
			Conv x w1 n1 -> a
			Identity n -> n2
			Conv a w1 n2 -> c`, []string{"n float32 [4]", "n float32 [4]"}},
		"of two layers that begin alike, in another form": {`
			Reshape e dims -> b1
			Conv x w1 b1 -> a
			Reshape e dims -> b2
			Conv a w2 b2 -> c`, []string{"e float32 [4]", "b2 float32 [4]"}},
		"of two layers that begin alike, one in another form": {`
			Conv x w1 b -> a
			Conv a w1 b -> c
			Identity b -> b2
			Conv c w2 b2 -> d`, []string{"b float32 [4]", "b float32 [4]", "b2 float32 [4]"}},
		"of one layer twice, by names of its own": {`
			Identity b -> b1
			Identity b -> b2
			Identity w1 -> w1b
			Conv x w1 b1 -> a
			Conv a w1b b2 -> c
			Conv c w2 b -> d`, []string{"b1 float32 [4]", "b1 float32 [4]", "b float32 [4]"}},
		"in another type": {`
			Half x -> h
			Half w1 -> hw
			Half b -> hb
			Conv h hw hb -> a`, []string{"Cast of b float32 [4]"}},
		"statistics in another type": {`
			Conv x w1 -> a
			Half a -> h
			Half v -> hv
			BatchNormalization h g b m hv -> c`, []string{"v float16 [4]"}},
	} {
		m := transformtest.Sketch(t, c.text)
		parameter.Separate(m)
		var got []string
		for _, n := range m.Graph.Nodes() {
			last := len(n.Inputs()) - 1
			if last < 2 {
				continue
			}
			v, through := n.Input(last), ""
			for v.Constant() == nil {
				through, v = through+v.Producer().OpType()+" of ", v.Producer().Input(0)
			}
			got = append(got, fmt.Sprint(through, v.Name(), " ", v.DType(), " ", v.Constant().Dims()))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", name, got, c.want)
		}
	}
}
