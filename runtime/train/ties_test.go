package train_test

import (
	"maps"
	"math"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/internal/peer"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// tied is a network whose layers are used at several places, or whose constants are merged as exporters merge equal ones.
type tied struct {
	*onnxgraph.Model
	input *onnxgraph.Value
	// merge says what becomes of constants that equal one that the file has: "none" keeps them, "direct" makes layers read that
	// one, "identity" makes them read it through an Identity node that has the name.
	merge string
	made  map[float32]map[int64]*onnxgraph.Value
	rng   *rand.Rand
}

func newTied(merge string) *tied {
	n := &tied{Model: onnxgraph.New("tied", 8, 18), merge: merge, made: map[float32]map[int64]*onnxgraph.Value{}, rng: rand.New(rand.NewPCG(8, 8))}
	n.input, _ = n.Graph.AddInput("image", onnxgraph.Float32, append([]onnxgraph.Dim{{Size: -1, Param: "N"}}, onnxgraph.Static(3, 16, 16)...))
	return n
}

// drawn returns a constant with normal numbers, of the deviation that Kaiming gives weights.
func (n *tied) drawn(name string, dims ...int64) *onnxgraph.Value {
	elements, fan := int64(1), int64(1)
	for i, d := range dims {
		elements *= d
		if i > 0 {
			fan *= d
		}
	}
	data := make([]float32, elements)
	for i := range data {
		data[i] = float32(n.rng.NormFloat64() / math.Sqrt(float64(fan)))
	}
	return n.Graph.AddConstant(name, onnxgraph.NewTensor(dims, data))
}

// filled returns a vector with one number all over, merged with an equal one.
func (n *tied) filled(name string, x float32, size int64) *onnxgraph.Value {
	old := n.made[x][size]
	switch {
	case old != nil && n.merge == "direct":
		return old
	case old != nil && n.merge == "identity":
		v := n.op("Identity", []*onnxgraph.Value{old})
		n.Graph.Rename(v, name)
		return v
	}
	v := n.Graph.AddConstant(name, onnxgraph.NewTensor([]int64{size}, slices.Repeat([]float32{x}, int(size))))
	if n.made[x] == nil {
		n.made[x] = map[int64]*onnxgraph.Value{}
	}
	n.made[x][size] = v
	return v
}

func (n *tied) op(opType string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return n.Graph.AddNode(opType, inputs, attrs...).Output(0)
}

// block makes a convolution with a normalization, as a layer to apply to any value.
func (n *tied) block(name string, from, to int64) func(*onnxgraph.Value) *onnxgraph.Value {
	conv := []*onnxgraph.Value{n.drawn(name+".weight", to, from, 3, 3)}
	norm := []*onnxgraph.Value{n.filled(name+".norm.weight", 1, to), n.filled(name+".norm.bias", 0, to), n.filled(name+".norm.mean", 0, to), n.filled(name+".norm.var", 1, to)}
	return func(x *onnxgraph.Value) *onnxgraph.Value {
		y := n.op("Conv", append([]*onnxgraph.Value{x}, conv...), onnxgraph.Ints("pads", 1, 1, 1, 1))
		y = n.op("BatchNormalization", append([]*onnxgraph.Value{y}, norm...))
		return n.op("Relu", []*onnxgraph.Value{y})
	}
}

// conv makes a convolution with a bias.
func (n *tied) conv(name string, from, to int64) func(*onnxgraph.Value) *onnxgraph.Value {
	weight, bias := n.drawn(name+".weight", to, from, 3, 3), n.filled(name+".bias", 0, to)
	return func(x *onnxgraph.Value) *onnxgraph.Value {
		return n.pooled(n.op("Relu", []*onnxgraph.Value{n.op("Conv", []*onnxgraph.Value{x, weight, bias})}))
	}
}

// half returns images of half the size.
func (n *tied) half(x *onnxgraph.Value) *onnxgraph.Value {
	return n.op("AveragePool", []*onnxgraph.Value{x}, onnxgraph.Ints("kernel_shape", 2, 2), onnxgraph.Ints("strides", 2, 2))
}

// pooled returns the mean of each channel.
func (n *tied) pooled(x *onnxgraph.Value) *onnxgraph.Value {
	return n.op("Flatten", []*onnxgraph.Value{n.op("GlobalAveragePool", []*onnxgraph.Value{x})})
}

// linear makes a fully connected layer.
func (n *tied) linear(name string, from, to int64) func(*onnxgraph.Value) *onnxgraph.Value {
	weight, bias := n.drawn(name+".weight", to, from), n.filled(name+".bias", 0, to)
	return func(x *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Gemm", []*onnxgraph.Value{x, weight, bias}, onnxgraph.Int("transB", 1))
	}
}

// matMul makes the same in two nodes.
func (n *tied) matMul(name string, from, to int64) func(*onnxgraph.Value) *onnxgraph.Value {
	weight, bias := n.drawn(name+".weight", from, to), n.filled(name+".bias", 0, to)
	return func(x *onnxgraph.Value) *onnxgraph.Value {
		return n.op("Add", []*onnxgraph.Value{n.op("MatMul", []*onnxgraph.Value{x, weight}), bias})
	}
}

// finish adds up what the branches give, and makes logits of it.
func (n *tied) finish(branches ...*onnxgraph.Value) {
	sum := branches[0]
	for _, b := range branches[1:] {
		sum = n.op("Add", []*onnxgraph.Value{sum, b})
	}
	n.Graph.AddOutput(n.linear("head", 8, 10)(sum), onnxgraph.Float32, nil)
}

// tiedNetworks have layers that are used twice, and others that are not.
var tiedNetworks = map[string]func(*tied){
	"conv and norm at two scales": func(n *tied) {
		block := n.block("a", 3, 8)
		n.finish(n.pooled(block(n.input)), n.pooled(block(n.half(n.input))))
	},
	"conv with bias": func(n *tied) {
		conv := n.conv("a", 3, 8)
		n.finish(conv(n.input), conv(n.half(n.input)))
	},
	"two convs with bias": func(n *tied) { // not tied at all
		n.finish(n.conv("a", 3, 8)(n.input), n.conv("b", 3, 8)(n.half(n.input)))
	},
	"fully connected": func(n *tied) {
		first, second := n.block("a", 3, 8), n.block("b", 3, 8)
		linear := n.linear("shared", 8, 8)
		n.finish(linear(n.pooled(first(n.input))), linear(n.pooled(second(n.half(n.input)))))
	},
	"fully connected in two nodes": func(n *tied) {
		first, second := n.block("a", 3, 8), n.block("b", 3, 8)
		linear := n.matMul("shared", 8, 8)
		n.finish(linear(n.pooled(first(n.input))), linear(n.pooled(second(n.half(n.input)))))
	},
	"siamese branches": func(n *tied) {
		first, second, third := n.block("a", 3, 4), n.block("b", 4, 4), n.block("c", 4, 8)
		branch := func(x *onnxgraph.Value) *onnxgraph.Value { return n.pooled(third(second(first(x)))) }
		n.finish(branch(n.input), branch(n.half(n.input)))
	},
	"one layer after the other": func(n *tied) {
		first, again := n.block("a", 3, 8), n.block("b", 8, 8)
		n.finish(n.pooled(again(again(first(n.input)))))
	},
	"norm first": func(n *tied) { // as in residual networks with activations before the convolutions
		first := n.block("a", 3, 8)
		norm := []*onnxgraph.Value{n.filled("b.weight", 1, 8), n.filled("b.bias", 0, 8), n.filled("b.mean", 0, 8), n.filled("b.var", 1, 8)}
		weight := n.drawn("b.conv.weight", 8, 8, 3, 3)
		y := first(n.input)
		for range 2 {
			z := n.op("Relu", []*onnxgraph.Value{n.op("BatchNormalization", append([]*onnxgraph.Value{y}, norm...))})
			y = n.op("Add", []*onnxgraph.Value{y, n.op("Conv", []*onnxgraph.Value{z, weight}, onnxgraph.Ints("pads", 1, 1, 1, 1))})
		}
		n.finish(n.pooled(y))
	},
	"numbers and maps": func(n *tied) { // which are no vectors
		y := n.half(n.half(n.block("a", 3, 8)(n.input))) // small, since float32 adds up few numbers best
		y = n.op("Mul", []*onnxgraph.Value{y, n.drawn("factor", 1)})
		y = n.op("Add", []*onnxgraph.Value{n.drawn("position", 1, 8, 4, 4), y})
		y = n.op("Mul", []*onnxgraph.Value{y, n.drawn("gain", 8, 4, 4)})
		y = n.op("Sub", []*onnxgraph.Value{y, n.drawn("shift", 1)})
		y = n.op("Mul", []*onnxgraph.Value{y, n.Graph.AddConstant("half", onnxgraph.NewScalar(float32(0.5)))})
		n.finish(n.pooled(n.op("Div", []*onnxgraph.Value{y, n.drawn("temperature", 1)})))
	},
	"two layers": func(n *tied) { // likewise
		first, second := n.block("a", 3, 8), n.block("b", 8, 8)
		n.finish(n.pooled(second(first(n.input))))
	},
	"two branches": func(n *tied) { // likewise
		first, second := n.block("a", 3, 8), n.block("b", 3, 8)
		n.finish(n.pooled(first(n.input)), n.pooled(second(n.half(n.input))))
	},
}

// TestTies differentiates networks whose layers are used twice, and whose equal constants an exporter has merged, with those of
// layers that are used once: always as PyTorch differentiates what the file was made from.
func TestTies(t *testing.T) {
	python := peer.Python(t, "torch", "onnx")
	orttest.Init(t)
	folder := t.TempDir()
	names := slices.Sorted(maps.Keys(tiedNetworks))
	var jobs []zooJob
	for i, name := range names {
		source := newTied("none")
		tiedNetworks[name](source)
		jobs = append(jobs, newTiedJob(t, source.Model, parameter.Baseline, filepath.Join(folder, strconv.Itoa(i))))
	}
	for _, name := range []string{"conv and norm at two scales", "siamese branches"} {
		for expansion := 1; expansion <= 2; expansion++ {
			source := newTied("none")
			tiedNetworks[name](source)
			converted, err := transform.Convert(source.Model, transform.Options{Pointwise: transform.Random, Expansion: expansion})
			if err != nil || len(converted) == 0 {
				t.Fatal(converted, err)
			}
			parameter.Separate(source.Model)
			jobs = append(jobs, newTiedJob(t, source.Model, parameter.Frozen, filepath.Join(folder, strings.ReplaceAll(name, " ", "-")+strconv.Itoa(expansion))))
		}
	}
	judged := judge(t, python, folder, jobs)
	for i, name := range names {
		for _, merge := range []string{"none", "direct", "identity"} {
			t.Run(strings.ReplaceAll(name, " ", "-")+"/"+merge, func(t *testing.T) {
				job, source := jobs[i], jobs[i].model
				n := newTied(merge)
				tiedNetworks[name](n)
				if separated := parameter.Separate(n.Model); merge == "none" && len(separated) > 0 {
					t.Errorf("separated %v of what was not merged", separated)
				}
				nameAs(n.Model, source)
				job.model = n.Model
				var err error
				if job.Trained, err = parameter.Baseline.Trained(n.Model); err != nil {
					t.Fatal(err)
				}
				if e := job.compare(t, judged[i]); !e.isSmall() {
					t.Error("the gradients differ from PyTorch's: ", e)
				}
			})
		}
	}
	for i := len(names); i < len(jobs); i++ {
		t.Run("blocks/"+filepath.Base(jobs[i].Out), func(t *testing.T) {
			job := jobs[i]
			judged[i].Parameters = slices.Sorted(slices.Values(job.Trained)) // it takes banks for weights
			if e := job.compare(t, judged[i]); !e.isSmall() {
				t.Error("the gradients differ from PyTorch's: ", e)
			}
		})
	}
}

// untied returns a copy of a model in which every node reads constants of its own, and for each constant that several places
// read the names of those that take its place there.
func untied(t *testing.T, m *onnxgraph.Model) (*onnxgraph.Model, map[string][]string) {
	t.Helper()
	m = m.Clone()
	for _, key := range m.MetadataKeys() {
		m.RemoveMetadata(key) // the blocks would no longer be as they are recorded
	}
	copies := map[string][]string{}
	for _, v := range m.Graph.Initializers() {
		copies[v.Name()] = []string{v.Name()}
		for i, use := range v.Uses() {
			if i > 0 {
				own := m.Graph.AddConstant(v.Name()+".again", v.Constant())
				use.Node.SetInput(use.Index, own)
				copies[v.Name()] = append(copies[v.Name()], own.Name())
			}
		}
	}
	return m, copies
}

// TestTiedGradients compares the gradients of layers that are used at several places, plain and in blocks of every form, with the
// sums of those of layers that are used once each.
func TestTiedGradients(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	for name, build := range tiedNetworks {
		for _, expansion := range []int{0, 2} { // 0 for no blocks
			n := newTied("none")
			build(n)
			variant := parameter.Baseline
			if expansion > 0 {
				variant = parameter.Frozen
				if _, err := transform.Convert(n.Model, transform.Options{Pointwise: transform.Random, Expansion: expansion}); err != nil {
					t.Fatal(err)
				}
			}
			base := filepath.Join(t.TempDir(), "tied")
			job := newTiedJob(t, n.Model, variant, base)
			apart := job
			var copies map[string][]string
			apart.model, copies = untied(t, job.model)
			if !slices.ContainsFunc(job.Trained, func(name string) bool { return len(copies[name]) > 1 && strings.Contains(name, "weight") }) {
				continue // nothing is tied
			}
			apart.Trained = nil
			for _, trained := range job.Trained {
				apart.Trained = append(apart.Trained, copies[trained]...)
			}
			parts, wantLoss := apart.gradients(t)
			want, size := map[string][]float64{}, 0.0
			for trained, names := range copies {
				for _, name := range names {
					for i, v := range parts[name] {
						if want[trained] == nil {
							want[trained] = make([]float64, len(parts[name]))
						}
						want[trained][i] += float64(v)
						size = max(size, math.Abs(want[trained][i]))
					}
				}
			}
			for _, job.form = range trainstep.BlockForms() {
				if expansion == 0 && job.form != trainstep.AutoForm {
					continue
				}
				got, loss := job.gradients(t)
				if math.Abs(loss-wantLoss) > 1e-5*wantLoss || len(got) != len(job.Trained) {
					t.Errorf("%s, expansion %d, %s: loss %g and %d gradients, want %g and %d", name, expansion, job.form, loss, len(got), wantLoss, len(job.Trained))
				}
				for trained, gradient := range got {
					for i, v := range gradient {
						if !(math.Abs(float64(v)-want[trained][i]) < 1e-4*size) {
							t.Errorf("%s, expansion %d, %s: the gradient of %s is %g at %d, want %g", name, expansion, job.form, trained, v, i, want[trained][i])
							break
						}
					}
				}
			}
		}
	}
}

// newTiedJob saves what PyTorch is to differentiate of a model in a variant, under a name.
func newTiedJob(t *testing.T, m *onnxgraph.Model, v parameter.Variant, base string) zooJob {
	t.Helper()
	job := zooJob{Model: base + ".onnx", Batch: base + ".npz", Statistics: "batch", Out: base, model: m}
	var err error
	if job.Trained, err = v.Trained(m); err != nil {
		t.Fatal(err)
	}
	job.drawBatchOf(t, 1, 8, 3, 16, 16)
	if err := m.Save(job.Model, onnxgraph.ExternalAsRead); err != nil {
		t.Fatal(err)
	}
	return job
}

// nameAs gives the constants of a model the names that those have which the nodes of another read in their places.
func nameAs(m, other *onnxgraph.Model) {
	nodes := other.Graph.Nodes()
	for k, n := range slices.DeleteFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("Identity") }) {
		for i, v := range n.Inputs() {
			if v.Constant() != nil {
				m.Graph.Rename(v, nodes[k].Input(i).Name())
			}
		}
	}
}
