package train_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/runtime/train"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestTrainingMode trains models as PyTorch exports them in training mode: they learn the same as in the form for
// inference, and come out in that form.
func TestTrainingMode(t *testing.T) {
	t.Parallel()
	withNorms := func(opset int64, outputs int) *onnxgraph.Model {
		m := normed(t)
		m.SetOpset("", opset)
		for _, n := range m.Graph.Nodes() {
			if n.Is("BatchNormalization") {
				n.NeedOutput(outputs - 1)
				for i := range outputs {
					n.NeedOutput(i)
				}
				if opset >= 14 {
					n.SetAttr(onnxgraph.Int("training_mode", 1))
				}
			}
		}
		return m
	}
	active := withDropout(t, leNet(t))
	for _, n := range active.Graph.Nodes() {
		if n.Is("Dropout") {
			n.SetInput(2, active.Graph.AddConstant("training", onnxgraph.NewScalar(true)))
			n.NeedOutput(1)
		}
	}
	frozen := func(r *train.Run) { r.Recipe.BatchNorm, r.Recipe.LearningRate = train.BatchNormEval, 1e-3 }
	nothing := func(*train.Run) {}
	cases := []struct {
		name         string
		model, plain *onnxgraph.Model
		setting      func(*train.Run)
	}{
		{"norms of operator set 18", withNorms(18, 3), normed(t), nothing},
		{"norms of operator set 11", withNorms(11, 5), normed(t), nothing},
		{"frozen statistics", withNorms(18, 3), normed(t), frozen},
		{"active Dropout", active, withDropout(t, leNet(t)), nothing},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var results []*train.Result
			first := newRun(t, c.plain, parameter.Baseline)
			for _, m := range []*onnxgraph.Model{c.plain, c.model} {
				r := newRun(t, m, parameter.Baseline)
				r.Train, r.Test, r.Recipe.Epochs = first.Train, first.Test, 2
				c.setting(r)
				results = append(results, do(t, r))
			}
			for i := range results[0].History {
				want, got := results[0].History[i], results[1].History[i]
				if got.Seconds = want.Seconds; got != want {
					t.Errorf("epoch %d: %+v, in the form for inference %+v", i+1, got, want)
				}
			}
			want, _ := sums(t, results[0].Model)
			for name, got := range want {
				if after, _ := sums(t, results[1].Model); after[name] != got {
					t.Errorf("%q differs", name)
				}
			}
			for _, n := range results[1].Model.Graph.Nodes() {
				if n.Int("training_mode", 0) != 0 || n.Is("BatchNormalization") && len(n.Outputs()) != 1 || n.Is("Dropout") && n.Input(2) != nil {
					t.Errorf("%s is still in training mode", n)
				}
			}
		})
	}
	t.Run("used statistics", func(t *testing.T) {
		m := withNorms(18, 3)
		i := slices.IndexFunc(m.Graph.Nodes(), func(n *onnxgraph.Node) bool { return n.Is("BatchNormalization") })
		m.Graph.AddOutput(m.Graph.Nodes()[i].Output(1), onnxgraph.Float32, nil)
		_, err := newRun(t, m, parameter.Baseline).Do(context.Background())
		if err == nil || !strings.Contains(err.Error(), "only training mode has") {
			t.Errorf("got error %v, want one that names the output", err)
		}
	})
}
