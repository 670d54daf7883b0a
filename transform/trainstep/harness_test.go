package trainstep_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/ort"
	"github.com/rcfreeze/rcfreeze/runtime/specialize"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/trainstep"
)

// net is a model in the making.
type net struct {
	t     *testing.T
	model *onnxgraph.Model
	shape []int64 // of the images
	image *onnxgraph.Value
	rng   *rand.Rand
}

func newNet(t *testing.T, shape ...int64) *net {
	t.Helper()
	n := &net{t: t, model: onnxgraph.New("net", 8, 18), shape: shape, rng: rand.New(rand.NewPCG(7, 7))}
	var err error
	if n.image, err = n.model.Graph.AddInput("image", onnxgraph.Float32, onnxgraph.Static(shape...)); err != nil {
		t.Fatal(err)
	}
	return n
}

// normal returns so many draws from the normal distribution.
func (n *net) normal(mean, deviation float64, count int64) []float32 {
	data := make([]float32, count)
	for i := range data {
		data[i] = float32(mean + deviation*n.rng.NormFloat64())
	}
	return data
}

func (n *net) trainable(name string, mean, deviation float64, dims ...int64) *onnxgraph.Value {
	return n.model.Graph.AddConstant(name, onnxgraph.NewTensor(dims, n.normal(mean, deviation, product(dims))))
}

func (n *net) op(opType string, inputs []*onnxgraph.Value, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return n.model.Graph.AddNode(opType, inputs, attrs...).Output(0)
}

// first returns the first node of an operator.
func (n *net) first(opType string) *onnxgraph.Node {
	nodes := n.model.Graph.Nodes()
	return nodes[slices.IndexFunc(nodes, func(m *onnxgraph.Node) bool { return m.Is(opType) })]
}

func (n *net) norm(name string, x *onnxgraph.Value, channels int64, attrs ...onnxgraph.Attribute) *onnxgraph.Value {
	return n.op("BatchNormalization", []*onnxgraph.Value{x,
		n.trainable(name+".scale", 1, 0.2, channels), n.trainable(name+".shift", 0, 0.2, channels),
		n.trainable(name+".mean", 0, 0.3, channels), n.trainable(name+".var", 2, 0.2, channels),
	}, attrs...)
}

func (n *net) output(v *onnxgraph.Value) *onnxgraph.Model {
	n.model.Graph.AddOutput(v, onnxgraph.Float32, nil)
	return n.model
}

// data returns normal images and labels below classes.
func (n *net) data(classes int64) ([]float32, []int64) {
	labels := make([]int64, n.shape[0])
	for i := range labels {
		labels[i] = n.rng.Int64N(classes)
	}
	return n.normal(0, 1, product(n.shape)), labels
}

func product(dims []int64) int64 {
	n := int64(1)
	for _, d := range dims {
		n *= d
	}
	return n
}

// fit returns a typed copy of a model.
func fit(t *testing.T, m *onnxgraph.Model, shape []int64) *onnxgraph.Model {
	t.Helper()
	orttest.Init(t)
	fitted, err := specialize.Model(m, shape)
	if err != nil {
		t.Fatal(err)
	}
	return fitted
}

// runner runs training steps.
type runner struct {
	t       *testing.T
	step    *trainstep.Step
	stepper *ort.Stepper
}

func newRunner(t *testing.T, m *onnxgraph.Model, shape []int64, o trainstep.Options) *runner {
	t.Helper()
	step, err := trainstep.Build(fit(t, m, shape), "image", o)
	if err != nil {
		t.Fatal(err)
	}
	stepper, err := train.OpenStep(step, orttest.Options(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stepper.Close() })
	return &runner{t, step, stepper}
}

// run makes a step, and returns the loss before it.
func (r *runner) run(images []float32, labels []int64, rate float32) float64 {
	r.t.Helper()
	fill(r, "image", images)
	fill(r, trainstep.LabelsInput, labels)
	fill(r, trainstep.LearningRateInput, []float32{rate})
	if err := r.stepper.Step(); err != nil {
		r.t.Fatal(err)
	}
	return float64(r.output(trainstep.LossOutput)[0])
}

func fill[T onnxgraph.Element](r *runner, name string, data []T) {
	r.t.Helper()
	memory, err := ort.InputData[T](r.stepper, name)
	if err != nil {
		r.t.Fatal(err)
	}
	if len(memory) != len(data) {
		r.t.Fatalf("input %s has %d elements, got %d", name, len(memory), len(data))
	}
	copy(memory, data)
}

func (r *runner) output(name string) []float32 {
	r.t.Helper()
	data, err := ort.OutputData[float32](r.stepper, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

func (r *runner) state(name string) []float32 {
	r.t.Helper()
	data, err := ort.StateData[float32](r.stepper, name)
	if err != nil {
		r.t.Fatal(err)
	}
	return slices.Clone(data)
}

// trained returns what trains.
func (r *runner) trained() []float32 {
	r.t.Helper()
	data, err := r.step.Trained(r.state(trainstep.ParametersSlot))
	if err != nil {
		r.t.Fatal(err)
	}
	return data
}

func (r *runner) setState(name string, data []float32) {
	r.t.Helper()
	err := r.stepper.SetStates(map[string]*onnxgraph.Tensor{name: onnxgraph.NewTensor([]int64{int64(len(data))}, data)})
	if err != nil {
		r.t.Fatal(err)
	}
}

// gradientRate is the learning rate with which gradient makes its step: large, so that little of the
// gradient is lost to rounding against the parameters.
const gradientRate = 1000

// gradient makes a step of a runner whose optimizer is SGD{}, and returns the loss and its gradient by the
// parameters, (w - w')/rate.
func (r *runner) gradient(images []float32, labels []int64) (loss float64, g []float64) {
	r.t.Helper()
	before := r.trained()
	loss = r.run(images, labels, gradientRate)
	for i, w := range r.trained() {
		g = append(g, (float64(before[i])-float64(w))/gradientRate)
	}
	return loss, g
}

// piece returns the part of a vector that belongs to a name.
func piece[T any](t *testing.T, segments []trainstep.Segment, vector []T, name string) []T {
	t.Helper()
	for _, s := range segments {
		if s.Name == name {
			return vector[s.Offset : s.Offset+s.Len()]
		}
	}
	t.Fatalf("no segment %q in %v", name, segments)
	return nil
}

// near fails the test unless got is want within tolerance times the largest of want.
func near[G, W float32 | float64](t *testing.T, what string, got []G, want []W, tolerance float64) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("%s: %d elements, want %d", what, len(got), len(want))
	}
	largest := 0.0
	for _, w := range want {
		largest = max(largest, math.Abs(float64(w)))
	}
	worst, at := 0.0, 0
	for i, w := range want {
		if d := math.Abs(float64(got[i]) - float64(w)); !(d <= worst) {
			worst, at = d, i
		}
	}
	if !(worst <= tolerance*largest) || largest == 0 {
		t.Errorf("%s: element %d is %g, want %g: off by %.2g of the largest, allowed %.2g", what, at, got[at], want[at], worst/largest, tolerance)
	}
}
