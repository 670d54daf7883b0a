package calibrate

import (
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/orttest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/architecture"
)

// TestBlocksAreFolded converts all convolutions of a network but one, and then the last on images: neither run of the network
// may compute the blocks that are there as two convolutions.
func TestBlocksAreFolded(t *testing.T) {
	t.Parallel()
	orttest.Init(t)
	m, err := architecture.New("cifar-resnet", architecture.Options{Depth: 8, Width: 4, ImageHeight: 8, ImageWidth: 8})
	if err != nil {
		t.Fatal(err)
	}
	convs := count(m)
	if _, err := transform.Convert(m, transform.Options{Expansion: 4, Skip: []string{"layer1.0.conv1"}, Pointwise: transform.Random}); err != nil {
		t.Fatal(err)
	}
	data, err := convcases.Draw(onnxgraph.Float32, 1, 2, 3, 8, 8).Float32s()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{Convert: transform.Options{Expansion: 4}, Images: &Images{Shape: []int64{3, 8, 8}, Data: data}}
	f, err := newFollower(t.Context(), m.Clone(), o)
	if err != nil {
		t.Fatal(err)
	}
	for name, network := range map[string]*trace{"source": f.source, "copy": f.followed} {
		if got := count(network.model); got != convs {
			t.Errorf("the %s runs %d convolutions, want %d", name, got, convs)
		}
	}
	rows, err := Convert(t.Context(), m, o)
	if err != nil {
		t.Fatal(err)
	}
	converted := 0
	for _, row := range rows {
		if row.Status == transform.Converted {
			converted++
		}
	}
	if converted != 1 {
		t.Errorf("%d convolutions are converted, want the one that was left", converted)
	}
}

func count(m *onnxgraph.Model) int {
	convs := 0
	for _, n := range m.Graph.Nodes() {
		if n.Is("Conv") {
			convs++
		}
	}
	return convs
}
