package transform_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/internal/transformtest"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
	"github.com/rcfreeze/rcfreeze/transform/parameter"
)

// TestTouchedFile changes a converted model as other tools might: each change must be noticed, and named.
func TestTouchedFile(t *testing.T) {
	bank := func(m *onnxgraph.Model) *onnxgraph.Value { return m.Graph.Value("conv.bank") }
	for _, c := range []struct {
		name  string
		touch func(m *onnxgraph.Model)
		want  string
	}{
		{"bank changed", func(m *onnxgraph.Model) {
			bank(m).SetConstant(convcases.Draw(onnxgraph.Float32, 9, bank(m).Constant().Dims()...))
		}, "SHA-256"},
		{"constants renamed", func(m *onnxgraph.Model) {
			m.Graph.Rename(bank(m), "a")
			m.Graph.Rename(m.Graph.Value("conv.pointwise"), "b")
		}, "no constant \"conv.bank\", its bank\n"},
		{"another bank read", func(m *onnxgraph.Model) {
			other := m.Graph.AddConstant("other", bank(m).Constant())
			m.Graph.AddOutput(bank(m), onnxgraph.Float32, nil)
			m.Graph.Nodes()[0].SetInput(1, other)
		}, "no Conv has \"conv.bank\" as its weight"},
		{"the bank's convolution is another operator", func(m *onnxgraph.Model) { m.Graph.Nodes()[0].SetOpType("ConvTranspose") }, "no Conv has \"conv.bank\" as its weight"},
		{"another output of the bank's convolution", func(m *onnxgraph.Model) { m.Graph.Rename(m.Graph.Value("conv/bank_output"), "elsewhere") }, "produces \"elsewhere\""},
		{"normalization removed", func(m *onnxgraph.Model) {
			norm := m.Graph.Nodes()[1]
			onnxgraph.ReplaceUses(norm.Output(0), norm.Input(0))
			m.Graph.Remove(norm)
		}, "no BatchNormalization reads"},
		{"bias added to the bank", func(m *onnxgraph.Model) {
			m.Graph.Nodes()[0].SetInput(2, m.Graph.AddConstant("b", convcases.Draw(onnxgraph.Float32, 9, 4)))
		}, "bias"},
		{"pointwise weight of another layer", func(m *onnxgraph.Model) {
			p := m.Graph.Value("conv.pointwise")
			m.Graph.Nodes()[2].SetInput(1, m.Graph.AddConstant("other", p.Constant()))
		}, "has \"conv.pointwise\" as its weight"},
		{"pointwise weight of other dims", func(m *onnxgraph.Model) {
			m.Graph.Value("conv.pointwise").SetConstant(convcases.Draw(onnxgraph.Float32, 9, 4, 3, 1, 1))
		}, "make no block"},
		{"a chain that no program knows", func(m *onnxgraph.Model) {
			const key = "rcfreeze.block.conv"
			m.SetMetadata(key, strings.Replace(m.Metadata(key), `"between":"batchnorm"`, `"between":"gelu"`, 1))
		}, `its record has "gelu" between the convolutions`},
		{"no record", func(m *onnxgraph.Model) { m.SetMetadata("rcfreeze.block.conv", "{") }, "is no record"},
		{"newer version", func(m *onnxgraph.Model) { m.SetMetadata("rcfreeze.version", "99") }, "version \"99\""},
	} {
		m := transformtest.Converted(t, convcases.Cases[0], transform.Options{Between: transform.BatchNorm})
		if _, err := transform.Blocks(m); err != nil {
			t.Fatal(err)
		}
		c.touch(m)
		m = transformtest.Parsed(t, m)
		_, err := transform.Blocks(m)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "another tool") {
			t.Errorf("%s: got the error %v, want it to say %q", c.name, err, c.want)
		} else if isOfBlock := strings.Contains(err.Error(), `block "conv": `); isOfBlock != (c.name != "newer version") {
			t.Errorf("%s: which block it is about is not told, or told of what is about all: %v", c.name, err)
		}
		if _, err := transform.Merge(m); err == nil {
			t.Errorf("%s: merged all the same", c.name)
		}
	}
}

// TestDamagedSizes has records and nodes whose sizes would make a division by zero, or are too few.
func TestDamagedSizes(t *testing.T) {
	record := func(old, changed string) func(t *testing.T, m *onnxgraph.Model) {
		return func(t *testing.T, m *onnxgraph.Model) {
			const key = "rcfreeze.block.conv"
			text := m.Metadata(key)
			if !strings.Contains(text, old) {
				t.Fatalf("the record has no %s: %s", old, text)
			}
			m.SetMetadata(key, strings.Replace(text, old, changed, 1))
		}
	}
	group := func(node int, v int64) func(t *testing.T, m *onnxgraph.Model) {
		return func(_ *testing.T, m *onnxgraph.Model) { m.Graph.Nodes()[node].SetAttr(onnxgraph.Int("group", v)) }
	}
	for name, touch := range map[string]func(t *testing.T, m *onnxgraph.Model){
		"an expansion of 0":          record(`"expansion":2`, `"expansion":0`),
		"an expansion below 0":       record(`"expansion":2`, `"expansion":-2`),
		"another expansion":          record(`"expansion":2`, `"expansion":3`),
		"another layout":             record(`"depthwise"`, `"dense"`),
		"no layout":                  record(`"depthwise"`, `"other"`),
		"no groups":                  group(1, 0),
		"groups below 0":             group(1, -1),
		"groups that do not divide":  group(1, 3),
		"other groups of the bank's": group(0, 1),
		"more filters in the bank": func(t *testing.T, m *onnxgraph.Model) {
			m.Graph.Value("conv.bank").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 7, 1, 3, 3)) // of which 2 for each of 3 channels
		},
		"filters of two channels in the bank": func(t *testing.T, m *onnxgraph.Model) {
			m.Graph.Value("conv.bank").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 6, 2, 3, 3))
		},
		"a bank without a kernel": func(t *testing.T, m *onnxgraph.Model) {
			m.Graph.Value("conv.bank").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 6, 1))
			m.Graph.Value("conv.pointwise").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 4, 6))
		},
		"fewer axes in the pointwise weight": func(t *testing.T, m *onnxgraph.Model) {
			m.Graph.Value("conv.pointwise").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 4, 6, 1))
		},
		"a pointwise weight of a larger kernel": func(t *testing.T, m *onnxgraph.Model) {
			m.Graph.Value("conv.pointwise").SetConstant(convcases.Draw(onnxgraph.Float32, 1, 4, 6, 1, 3))
		},
	} {
		m := transformtest.Converted(t, convcases.Cases[0], transform.Options{Layout: transform.Depthwise, Expansion: 2})
		touch(t, m)
		if _, err := transform.Blocks(m); err == nil || !strings.Contains(err.Error(), "make no block of layout") {
			t.Errorf("%s: got error %v", name, err)
		}
	}
}

// TestRecordTraining trains a bank and records it.
func TestRecordTraining(t *testing.T) {
	m := transformtest.Converted(t, convcases.Cases[0], transform.Options{})
	blocks, err := transform.Blocks(m)
	if err != nil {
		t.Fatal(err)
	}
	b := blocks[0]
	b.Bank.SetConstant(convcases.Draw(onnxgraph.Float32, 9, b.Bank.Constant().Dims()...))
	if err := b.RecordTraining(m); err != nil {
		t.Fatal(err)
	}
	if _, err := transform.Blocks(transformtest.Reloaded(t, m)); err != nil {
		t.Errorf("after recording the bank anew: %v", err)
	}
	was := m.Metadata("rcfreeze.block.conv")
	breakConstant(b.Bank)
	if err := b.RecordTraining(m); !errors.Is(err, errGone) || !strings.Contains(err.Error(), `the bank of block "conv"`) || m.Metadata("rcfreeze.block.conv") != was {
		t.Errorf("recording a bank that cannot be read: %v, %s", err, m.Metadata("rcfreeze.block.conv"))
	}
}

// TestConvertTwice leaves blocks alone, and tells what they are.
func TestConvertTwice(t *testing.T) {
	m := transformtest.Converted(t, convcases.Cases[0], transform.Options{})
	report, err := transform.Convert(m, transform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range report {
		if row.Status != transform.Skipped || !strings.Contains(row.Reason, `frozen block "conv"`) {
			t.Errorf("converting a second time: %+v", row)
		}
	}
}

// TestMergeKeepsWhatIsUsed does not merge a block whose inside is used elsewhere, nor one with a ReLU.
func TestMergeKeepsWhatIsUsed(t *testing.T) {
	norms := transform.Options{Between: transform.BatchNorm}
	read := func(m *onnxgraph.Model, node int) *onnxgraph.Model {
		m.Graph.AddOutput(m.Graph.AddNode("Relu", []*onnxgraph.Value{m.Graph.Nodes()[node].Output(0)}).Output(0), onnxgraph.Float32, nil)
		return m
	}
	output := func(m *onnxgraph.Model, node int) *onnxgraph.Model {
		m.Graph.AddOutput(m.Graph.Nodes()[node].Output(0), onnxgraph.Float32, nil)
		return m
	}
	other := func(name string, count int64) *onnxgraph.Model {
		m := transformtest.Converted(t, convcases.Named("bias"), norms)
		v := m.Graph.Value(name)
		for _, u := range v.Uses() {
			u.Node.SetInput(u.Index, m.Graph.AddConstant("other", convcases.Draw(onnxgraph.Float32, 1, count)))
		}
		return m
	}
	several := func(count int64) *onnxgraph.Model { // of all parameters of the normalization
		m := transformtest.Converted(t, convcases.Named("bias"), norms)
		for i := 1; i <= 4; i++ {
			ones := onnxgraph.NewTensor([]int64{count}, slices.Repeat([]float32{1}, int(count)))
			m.Graph.Nodes()[1].SetInput(i, m.Graph.AddConstant("other", ones))
		}
		return m
	}
	shifted := other("conv.norm.shift", 4)
	three := shifted.Graph.AddConstant("three", convcases.Draw(onnxgraph.Float32, 1, 3))
	shifted.Graph.Nodes()[2].SetInput(2, shifted.Graph.AddNode("Identity", []*onnxgraph.Value{three}).Output(0)) // or it is not loaded
	for _, c := range []struct {
		reason string
		m      *onnxgraph.Model
	}{
		{"ReLU", transformtest.Converted(t, convcases.Cases[0], transform.Options{Pointwise: transform.Random, Between: transform.ReLU})},
		{`"conv/bank_output", inside of it, is used elsewhere`, output(transformtest.Converted(t, convcases.Cases[0], transform.Options{}), 0)},
		{`"conv/bank_output", inside of it, is used elsewhere`, read(transformtest.Converted(t, convcases.Cases[0], norms), 0)},
		{`"conv/norm_output", inside of it, is used elsewhere`, output(transformtest.Converted(t, convcases.Cases[0], norms), 1)},
		{`"conv/norm_output", inside of it, is used elsewhere`, read(transformtest.Converted(t, convcases.Cases[0], norms), 1)},
		{"its input 3 has 5 numbers, input 1 has 4", other("conv.norm.mean", 5)},
		{"it has 5 channels, the bank 4 filters", several(5)},
		{"the bias has 3 numbers for 4 filters", shifted},
	} {
		reason, m := c.reason, c.m
		m.Graph.Prune()
		outcomes, err := transform.Merge(m)
		if err != nil || outcomes[0].Status != transform.Skipped || !strings.Contains(outcomes[0].Reason, reason) {
			t.Errorf("want skipped for %s, got %+v, %v", reason, outcomes, err)
		}
		if _, err := transform.Blocks(transformtest.Reloaded(t, m)); err != nil {
			t.Error(err)
		}
	}
}

// TestBlocksAmongOtherReaders finds a block whose constants and values are read by others too, before and in other ways: each
// reads one of them, in the order of the file before the block's own nodes.
func TestBlocksAmongOtherReaders(t *testing.T) {
	for _, c := range []struct {
		name     string
		operator string
		index    int // of the input that reads it
	}{
		{"a convolution without an output", "none", 1},
		{"another operator", "Exp", 0}, {"a convolution's weight", "Conv", 1}, {"a convolution's input", "Conv", 0}, {"a convolution's bias", "Conv", 2},
	} {
		for _, shared := range []string{"conv.bank", "conv/bank_output", "conv/norm_output"} {
			m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{Between: transform.BatchNormReLU, Pointwise: transform.Random})
			g := m.Graph
			v := g.Value(shared)
			own := v.Uses()
			for _, u := range own {
				u.Node.SetInput(u.Index, nil)
			}
			inputs := slices.Repeat([]*onnxgraph.Value{g.Value(convcases.X)}, c.index+1)
			if c.operator == "Conv" && c.index != 1 {
				inputs = append(inputs, nil, nil)[:3]
				inputs[1] = g.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 3, 3, 3))
			}
			inputs[c.index] = v
			other := g.AddNode(c.operator, inputs)
			g.Insert(g.Nodes()[0], other)
			if c.operator == "none" {
				other.SetOpType("Conv")
				other.RemoveOutput(0)
			} else {
				g.AddOutput(other.Output(0), onnxgraph.Float32, nil)
			}
			for _, u := range own {
				u.Node.SetInput(u.Index, v)
			}
			b := transformtest.OnlyBlock(t, m)
			if b.BankConv.Name() != "conv/bank" || len(b.Between) != 2 || b.PointwiseConv.Name() != "conv" {
				t.Errorf("%s of %s: the block is %s, %v, %s", c.name, shared, b.BankConv, b.Between, b.PointwiseConv)
			}
		}
	}
}

// TestHasDrawn asks for random 1×1 weights that were not trained.
func TestHasDrawn(t *testing.T) {
	for _, c := range []struct {
		pointwise transform.Pointwise
		trained   bool
		want      bool
	}{{transform.Project, false, false}, {transform.Project, true, false}, {transform.Random, false, true}, {transform.Random, true, false}} {
		m := transformtest.Converted(t, convcases.Named("bias"), transform.Options{Pointwise: c.pointwise})
		if b := transformtest.OnlyBlock(t, m); c.trained {
			if err := b.RecordTraining(m); err != nil {
				t.Fatal(err)
			}
		}
		if got, err := transform.HasDrawn(transformtest.Reloaded(t, m)); err != nil || got != c.want {
			t.Errorf("%+v: %v, %v", c, got, err)
		}
		if trained := transformtest.OnlyBlock(t, m).Record.Trained; trained != c.trained {
			t.Errorf("%+v: trained %v", c, trained)
		}
		if _, err := parameter.Reinit(m, parameter.ReinitOptions{}); err != nil {
			t.Fatal(err)
		}
		if got, err := transform.HasDrawn(m); err != nil || !got {
			t.Errorf("%+v: after drawing anew: %v, %v", c, got, err)
		}
	}
	if got, err := transform.HasDrawn(convcases.Named("bias").Model()); err != nil || got {
		t.Errorf("a model without blocks: %v, %v", got, err)
	}
}

// TestMergeForgets merges one of two blocks: its record is gone, and that of the other stays until it is merged too.
func TestMergeForgets(t *testing.T) {
	m := convcases.Named("bias").Model()
	second := m.Graph.AddNode("Conv", []*onnxgraph.Value{m.Graph.Value(convcases.Y), m.Graph.AddConstant("w", convcases.Draw(onnxgraph.Float32, 1, 4, 4, 3, 3))})
	second.Rename("second")
	m.Graph.AddOutput(second.Output(0), onnxgraph.Float32, nil)
	m.SetMetadata("rcfreeze.other", "stays")
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	bank := m.Graph.Value("second/bank_output")
	reader := m.Graph.AddNode("Relu", []*onnxgraph.Value{bank})
	m.Graph.AddOutput(reader.Output(0), onnxgraph.Float32, nil)
	if rows, err := transform.Merge(m); err != nil || rows[0].Status != transform.Merged || rows[1].Status != transform.Skipped {
		t.Fatal(rows, err)
	}
	if b := transformtest.OnlyBlock(t, transformtest.Reloaded(t, m)); b.Name != "second" {
		t.Errorf("the block that is left is %q", b.Name)
	}
	reader.SetInput(0, m.Graph.Value(convcases.X))
	if rows, err := transform.Merge(m); err != nil || len(rows) != 1 || rows[0].Status != transform.Merged {
		t.Fatal(rows, err)
	}
	if keys := m.MetadataKeys(); !slices.Equal(keys, []string{"rcfreeze.other"}) {
		t.Errorf("the model has metadata %q", keys)
	}
}

// TestVersionWithoutBlocks reads a model without blocks, whatever the version of records that it names.
func TestVersionWithoutBlocks(t *testing.T) {
	m := convcases.Named("bias").Model()
	m.SetMetadata("rcfreeze.version", "99")
	if blocks, err := transform.Blocks(m); err != nil || len(blocks) > 0 {
		t.Errorf("%v, %v", blocks, err)
	}
}

// TestConvertSharedTwice says of blocks that share a bank and a 1×1 weight which these are.
func TestConvertSharedTwice(t *testing.T) {
	m := convcases.Named("bias").Model()
	conv := m.Graph.Nodes()[0]
	other := m.Graph.AddNode("Conv", conv.Inputs())
	other.Rename("other")
	m.Graph.AddOutput(other.Output(0), onnxgraph.Float32, nil)
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	report, err := transform.Convert(m, transform.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var reasons []string
	for _, row := range report {
		reasons = append(reasons, row.Reason)
	}
	slices.Sort(reasons)
	want := []string{`it is the 1×1 convolution of frozen block "conv"`, `it is the 1×1 convolution of frozen block "other", shared with "conv"`,
		`it is the bank of frozen block "conv"`, `it is the bank of frozen block "other", shared with "conv"`}
	if !slices.Equal(reasons, want) {
		t.Errorf("%q, want %q", reasons, want)
	}
}
