package transform_test

import (
	"bytes"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/normalization"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
	"github.com/rcfreeze/rcfreeze/transform/precision"
	"google.golang.org/protobuf/encoding/protowire"
)

const (
	docText  = "what the weight is for"
	metaText = "who trained it"
)

// described returns a tensor with a doc string and metadata, as in a file.
func described(t *testing.T, data *onnxgraph.Tensor) *onnxgraph.Tensor {
	t.Helper()
	raw, err := data.Raw()
	if err != nil {
		t.Fatal(err)
	}
	const dims, dtype, rawData, doc, metadata, key, value = 1, 2, 9, 12, 16, 1, 2
	var p []byte
	for _, d := range data.Dims() {
		p = protowire.AppendVarint(protowire.AppendTag(p, dims, protowire.VarintType), uint64(d))
	}
	p = protowire.AppendVarint(protowire.AppendTag(p, dtype, protowire.VarintType), uint64(data.DType()))
	p = protowire.AppendBytes(protowire.AppendTag(p, rawData, protowire.BytesType), raw)
	p = protowire.AppendString(protowire.AppendTag(p, doc, protowire.BytesType), docText)
	entry := protowire.AppendString(protowire.AppendTag(nil, key, protowire.BytesType), "author")
	entry = protowire.AppendString(protowire.AppendTag(entry, value, protowire.BytesType), metaText)
	p = protowire.AppendBytes(protowire.AppendTag(p, metadata, protowire.BytesType), entry)
	tensor, err := onnxgraph.ParseTensor(p)
	if err != nil {
		t.Fatal(err)
	}
	return tensor
}

// TestDescriptionsStay rewrites a model whose weights have doc strings and metadata in every way that gives them other data:
// each is still there, once, in what is saved.
func TestDescriptionsStay(t *testing.T) {
	convert := func(o transform.Options) func(m *onnxgraph.Model) error {
		return func(m *onnxgraph.Model) error {
			_, err := transform.Convert(m, o)
			return err
		}
	}
	merge := func(m *onnxgraph.Model) error {
		_, err := transform.Merge(m)
		return err
	}
	fold := func(m *onnxgraph.Model) error {
		_, err := normalization.Fold(m)
		return err
	}
	for name, passes := range map[string][]func(m *onnxgraph.Model) error{
		"convert":                  {convert(transform.Options{})},
		"convert, depthwise":       {convert(transform.Options{Layout: transform.Depthwise})},
		"convert, same filters":    {convert(transform.Options{Pointwise: transform.Identity})},
		"convert and merge":        {convert(transform.Options{}), merge},
		"convert, merge, and fold": {convert(transform.Options{Between: transform.BatchNorm}), merge, fold},
		"fold":                     {fold},
		"draw anew": {func(m *onnxgraph.Model) error {
			_, err := parameter.Reinit(m, parameter.ReinitOptions{})
			return err
		}},
		"other precision": {func(m *onnxgraph.Model) error {
			_, err := precision.Convert(m, onnxgraph.Float16)
			return err
		}},
		"other data": {func(m *onnxgraph.Model) error {
			for _, v := range m.Graph.Initializers() {
				v.SetConstant(convcases.Draw(onnxgraph.Float32, 5, v.Constant().Dims()...))
			}
			return nil
		}},
		"other data by MakeConstant": {func(m *onnxgraph.Model) error {
			for _, v := range m.Graph.Initializers() {
				m.Graph.MakeConstant(v, convcases.Draw(onnxgraph.Float32, 5, v.Constant().Dims()...))
			}
			return nil
		}},
	} {
		m := convcases.Named("bias").Model()
		n := m.Graph.Nodes()[0]
		for i := 1; i <= 2; i++ {
			n.Input(i).SetConstant(described(t, n.Input(i).Constant()))
		}
		if name == "fold" {
			transformtest.AddNorm(m, 4)
		}
		for _, pass := range passes {
			if err := pass(m); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			m = transformtest.Reloaded(t, m)
		}
		data, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{docText, metaText} {
			if n := bytes.Count(data, []byte(text)); n != 2 {
				t.Errorf("%s: %q is there %d times, want 2: of weight and bias", name, text, n)
			}
		}
	}
}
