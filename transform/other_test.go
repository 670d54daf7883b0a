package transform_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/rcfreeze/rcfreeze/internal/convcases"
	"github.com/rcfreeze/rcfreeze/onnxgraph"
	"github.com/rcfreeze/rcfreeze/transform"
)

// TestOtherConvolutions lists what convolves and is no Conv, and says why it stays.
func TestOtherConvolutions(t *testing.T) {
	for _, c := range []struct {
		domain, operator string
		reason           string // "" if it is no convolution
	}{
		{"", "ConvTranspose", "transposed"},
		{"", "DeformConv", "deformable"},
		{"", "ConvInteger", "quantized: rewrite the floating-point model"},
		{"", "QLinearConv", "quantized: rewrite the floating-point model"},
		{"com.microsoft", "QLinearConv", "quantized: rewrite the floating-point model"},
		{"com.microsoft", "FusedConv", "before ONNX Runtime optimized it"},
		{"com.microsoft.nchwc", "Conv", "before ONNX Runtime optimized it"},
		{"vendor", "MyConv2d", `domain "vendor"`},
		{"vendor", "Pool", ""},
		{"", "Relu", ""},
	} {
		m := convcases.Cases[0].Model()
		m.SetOpset(c.domain, max(1, m.Opset(c.domain)))
		n := m.Graph.AddNodeOf(c.domain, c.operator, []*onnxgraph.Value{m.Graph.Value(convcases.X)}, 1)
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
		report, err := transform.Convert(m, transform.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if c.reason == "" {
			if len(report) != 1 {
				t.Errorf("%s: %+v", c.operator, report)
			}
			continue
		}
		if len(report) != 2 || report[1].Status != transform.Skipped || report[1].Operator != c.operator || !strings.Contains(report[1].Reason, c.reason) {
			t.Errorf("%s: %+v", c.operator, report)
		}
	}
}

// TestFunctionsThatConvolve lists the convolutions in a model's own functions, and not what calls them; an operator that only
// shares the name or the domain with a function is still one that nobody here knows.
func TestFunctionsThatConvolve(t *testing.T) {
	data, err := convcases.Nest(convcases.Cases[0].Model(), convcases.Places[6]).Bytes()
	if err != nil {
		t.Fatal(err)
	}
	data = bytes.ReplaceAll(data, []byte("Layer"), []byte("ConvX")) // the function, and its call
	for _, c := range []struct {
		domain, operator string
		listed           bool
	}{{"local", "ConvX", false}, {"local", "ConvY", true}, {"vendor", "ConvX", true}} {
		m, err := onnxgraph.Parse(data, "")
		if err != nil {
			t.Fatal(err)
		}
		m.SetOpset("vendor", 1)
		n := m.Graph.AddNodeOf(c.domain, c.operator, []*onnxgraph.Value{m.Graph.Value(convcases.X)}, 1)
		m.Graph.AddOutput(n.Output(0), onnxgraph.Float32, nil)
		report, err := transform.Plan(m, transform.Options{})
		if err != nil || len(report) == 0 || report[len(report)-1].Status != transform.Converted {
			t.Fatalf("%s of %s: %+v, %v", c.operator, c.domain, report, err)
		}
		if others := report[:len(report)-1]; len(others) > 0 != c.listed || c.listed && others[0].Operator != c.operator {
			t.Errorf("%s of %s: %+v, want it listed: %v", c.operator, c.domain, others, c.listed)
		}
	}
}

// TestKeepsWhatItDoesNotRewrite finds everything that a file tells people and tools again after converting and merging.
func TestKeepsWhatItDoesNotRewrite(t *testing.T) {
	m := convcases.Cases[1].Model()
	m.SetMetadata("author", "somebody")
	m.SetOpset("vendor", 3)
	data, err := m.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	// In protobuf, a field that is given again adds to what is there.
	field := func(number byte, content string) string {
		return string([]byte{number<<3 | 2, byte(len(content))}) + content
	}
	symbolic := field(1, "\x08\x01"+field(2, field(1, field(2, "batch")))) // a tensor of float32, of one dim
	graph := field(10, "what the graph is") + field(11, field(1, "second")+field(2, symbolic)+field(3, "what the input is"))
	data = append(data, field(4, "org.example")+"\x28\x07"+field(6, "what the model is")+field(7, graph)...)
	if m, err = onnxgraph.Parse(data, ""); err != nil {
		t.Fatal(err)
	}
	check := func(what string) {
		t.Helper()
		after, err := m.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{"somebody", "vendor", "what the graph is", "what the input is", "what the model is", "org.example", "\x28\x07"} {
			if !strings.Contains(string(after), text) {
				t.Errorf("%s: %q is gone", what, text)
			}
		}
		inputs, outputs := m.Graph.Inputs(), m.Graph.Outputs()
		if len(inputs) != 2 || inputs[0].Name() != convcases.X || inputs[1].Name() != "second" || len(outputs) != 1 || outputs[0].Name() != convcases.Y {
			t.Errorf("%s: inputs and outputs are others, or in another order", what)
		}
		if shape, ok := inputs[1].Shape(); !ok || len(shape) != 1 || shape[0].Param != "batch" {
			t.Errorf("%s: the symbolic shape is %v", what, shape)
		}
		if m.IRVersion() != 8 || m.Opset("") != 18 || m.Opset("vendor") != 3 || m.Graph.Nodes()[len(m.Graph.Nodes())-1].Name() != convcases.Node {
			t.Errorf("%s: versions or names are others", what)
		}
	}
	check("before")
	if _, err := transform.Convert(m, transform.Options{}); err != nil {
		t.Fatal(err)
	}
	check("converted")
	if _, err := transform.Merge(m); err != nil {
		t.Fatal(err)
	}
	check("merged")
}
