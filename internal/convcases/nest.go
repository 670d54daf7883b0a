package convcases

import (
	"slices"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/rcfreeze/rcfreeze/onnxgraph"
)

// Place says where to put the nodes of a model: into bodies of an operator, or into a function.
type Place struct {
	Name      string
	Inside    bool // the constants are there too, else outside
	Rewritten bool // whether the convolutions can become blocks
	nest      func(p parts) message
}

// Places are all kinds of places.
var Places = []Place{
	{"branches", true, true, inBranches},
	{"branches, filters outside", false, true, inBranches},
	{"loop", true, true, inLoop},
	{"loop, filters outside", false, true, inLoop},
	{"scan", true, true, inScan},
	{"scan, filters outside", false, true, inScan},
	{"function", true, true, inFunction},
	{"function, filters given", false, false, inFunction},
}

// Nest returns a model that computes what m does, X to Y, with m's nodes in another place. Where an operator has two
// bodies, as If has, both get the nodes, under the same names.
func Nest(m *onnxgraph.Model, place Place) *onnxgraph.Model {
	data, err := m.Bytes()
	must(err)
	graph := fields(data, modelGraph)[0]
	p := parts{inside: place.Inside, nodes: fields(graph, graphNode), constants: fields(graph, graphInitializer),
		inputs: fields(graph, graphInput), outputs: fields(graph, graphOutput), opset: fields(data, modelOpset)[0]}
	nested, err := onnxgraph.Parse(message{}.number(modelIR, 8).add(modelOpset, p.opset).append(place.nest(p)), "")
	must(err)
	return nested
}

// parts are the encoded parts of a model.
type parts struct {
	inside                            bool
	nodes, constants, inputs, outputs [][]byte
	opset                             []byte
}

// The fields of ONNX's messages that are written here.
const (
	modelIR, modelGraph, modelOpset, modelFunction                                   = 1, 7, 8, 25
	graphNode, graphName, graphInitializer, graphInput, graphOutput                  = 1, 2, 5, 11, 12
	nodeInput, nodeOutput, nodeOperator, nodeAttribute, nodeDomain                   = 1, 2, 4, 5, 7
	attributeName, attributeInt, attributeTensor, attributeGraph, attributeType      = 1, 3, 5, 6, 20
	functionName, functionInput, functionOutput, functionNode, functionOpset, domain = 1, 4, 5, 7, 9, 10
	tensorDims, tensorType, tensorInts, tensorName                                   = 1, 2, 7, 8
	valueName, valueType                                                             = 1, 2
	kindInt, kindTensor, kindGraph                                                   = 2, 4, 5 // of attributes
	typeInt64, typeBool                                                              = 7, 9
)

// body returns the graph that a body is, with further inputs and outputs around its own output.
func (p parts) body(inputs []message, before []message) message {
	g := message{}.text(graphName, "body").all(graphNode, p.nodes)
	if p.inside {
		g = g.all(graphInitializer, p.constants)
	}
	for _, v := range inputs {
		g = g.add(graphInput, v)
	}
	for _, v := range before {
		g = g.add(graphOutput, v)
	}
	return g.all(graphOutput, p.outputs)
}

// around returns the main graph with the given nodes and constants.
func (p parts) around(nodes, constants []message) message {
	g := message{}.text(graphName, "nested").all(graphInput, p.inputs).all(graphOutput, p.outputs)
	for _, n := range nodes {
		g = g.add(graphNode, n)
	}
	for _, c := range constants {
		g = g.add(graphInitializer, c)
	}
	if !p.inside {
		g = g.all(graphInitializer, p.constants)
	}
	return message{}.add(modelGraph, g)
}

// inBranches takes the one branch or the other: that depends on the input, lest the runtime should remove the If.
func inBranches(p parts) message {
	branch := p.body(nil, nil)
	return p.around([]message{
		node("ReduceMax", []string{X}, []string{"largest"}, intAttribute("keepdims", 0)),
		node("Cast", []string{"largest"}, []string{"which"}, intAttribute("to", typeBool)),
		node("If", []string{"which"}, []string{Y}, graphAttribute("then_branch", branch), graphAttribute("else_branch", branch)),
	}, nil)
}

// inLoop runs the nodes once, and stacks their outputs along a new axis, which is taken away again.
func inLoop(p parts) message {
	body := p.body([]message{scalar("round", typeInt64), scalar("go_on", typeBool)}, []message{named("go_on_still")})
	body = body.add(graphNode, node("Identity", []string{"go_on"}, []string{"go_on_still"}))
	n := node("Loop", []string{"one", "true"}, []string{"stacked"}, graphAttribute("body", body))
	return p.around([]message{n, node("Squeeze", []string{"stacked", "axis"}, []string{Y})},
		[]message{integer("one", typeInt64, 1), integer("true", typeBool, 1), integer("axis", typeInt64, 0, 1)})
}

// Capture returns a copy of m in which the main graph's nodes that read the named value read a copy of it instead, which a Loop
// makes. No input of the Loop depends on the value: its body alone reads it. m needs operator set 13 or newer.
func Capture(m *onnxgraph.Model, name string) *onnxgraph.Model {
	data, err := m.Bytes()
	must(err)
	body := message{}.text(graphName, "body").add(graphInput, scalar("capture.round", typeInt64)).add(graphInput, scalar("capture.go_on", typeBool)).
		add(graphNode, node("Identity", []string{"capture.go_on"}, []string{"capture.go_on_still"})).
		add(graphNode, node("Identity", []string{name}, []string{"capture.inner"})).
		add(graphOutput, named("capture.go_on_still")).add(graphOutput, named("capture.inner"))
	added := message{}.
		add(graphNode, node("Loop", []string{"capture.once", "capture.true"}, []string{"capture.stacked"}, graphAttribute("body", body))).
		add(graphNode, node("Squeeze", []string{"capture.stacked", "capture.axis"}, []string{"capture.copy"})).
		add(graphInitializer, integer("capture.once", typeInt64, 1)).add(graphInitializer, integer("capture.true", typeBool, 1)).
		add(graphInitializer, integer("capture.axis", typeInt64, 0, 1))
	captured, err := onnxgraph.Parse(message(data).add(modelGraph, added), "") // the parts of a message that is there twice count as one
	must(err)
	g := captured.Graph
	nodes := g.Nodes()
	v, last := g.Value(name), len(nodes)-2
	for _, u := range v.Uses() {
		if u.Node.Graph() == g {
			u.Node.SetInput(u.Index, g.Value("capture.copy"))
			last = min(last, slices.Index(nodes, u.Node))
		}
	}
	if last < len(nodes)-2 {
		g.Insert(nodes[last], nodes[len(nodes)-2:]...)
	}
	return captured
}

// inScan gives the input an axis of size 1 to scan along.
func inScan(p parts) message {
	body := p.body(nil, nil).add(graphInput, named("slice"))
	body = body.add(graphNode, node("Identity", []string{"slice"}, []string{"kept"}))
	body = body.add(graphOutput, named("kept"))
	n := node("Scan", []string{"wide"}, []string{"stacked", "slices"}, graphAttribute("body", body),
		intAttribute("num_scan_inputs", 1))
	return p.around([]message{node("Unsqueeze", []string{X, "axis"}, []string{"wide"}), n, node("Squeeze", []string{"stacked", "axis"}, []string{Y})},
		[]message{integer("axis", typeInt64, 0, 1)})
}

// inFunction makes the nodes a function, which is called once. Constants are nodes of the function, or are given.
func inFunction(p parts) message {
	f := message{}.text(functionName, "Layer").text(domain, "local").text(functionInput, X).text(functionOutput, Y).add(functionOpset, p.opset)
	given := []string{X}
	for _, c := range p.constants {
		name := string(fields(c, tensorName)[0])
		if p.inside {
			value := message{}.text(attributeName, "value").add(attributeTensor, c).number(attributeType, kindTensor)
			f = f.add(functionNode, node("Constant", nil, []string{name}, value))
		} else {
			f = f.text(functionInput, name)
			given = append(given, name)
		}
	}
	call := node("Layer", given, []string{Y}).text(nodeDomain, "local")
	local := message{}.text(1, "local").number(2, 1)
	return p.around([]message{call}, nil).add(modelOpset, local).add(modelFunction, f.all(functionNode, p.nodes))
}

func node(operator string, inputs, outputs []string, attributes ...message) message {
	n := message{}.text(nodeOperator, operator)
	for _, name := range inputs {
		n = n.text(nodeInput, name)
	}
	for _, name := range outputs {
		n = n.text(nodeOutput, name)
	}
	for _, a := range attributes {
		n = n.add(nodeAttribute, a)
	}
	return n
}

func graphAttribute(name string, g message) message {
	return message{}.text(attributeName, name).add(attributeGraph, g).number(attributeType, kindGraph)
}

// integer returns an initializer that holds one number.
func integer(name string, dtype, value uint64, dims ...uint64) message {
	t := message{}
	for _, d := range dims {
		t = t.number(tensorDims, d)
	}
	if dtype == typeBool {
		return t.number(tensorType, dtype).number(5, value).text(tensorName, name)
	}
	return t.number(tensorType, dtype).number(tensorInts, value).text(tensorName, name)
}

func intAttribute(name string, v uint64) message {
	return message{}.text(attributeName, name).number(attributeInt, v).number(attributeType, kindInt)
}

// scalar declares a value without dims.
func scalar(name string, dtype uint64) message {
	tensor := message{}.number(1, dtype).add(2, nil)
	return named(name).add(valueType, message{}.add(1, tensor))
}

func named(name string) message { return message{}.text(valueName, name) }

// message is an encoded protobuf message that grows by a field at a time.
type message []byte

func (m message) add(field protowire.Number, data []byte) message {
	return protowire.AppendBytes(protowire.AppendTag(m, field, protowire.BytesType), data)
}

func (m message) text(field protowire.Number, s string) message { return m.add(field, []byte(s)) }

func (m message) number(field protowire.Number, v uint64) message {
	return protowire.AppendVarint(protowire.AppendTag(m, field, protowire.VarintType), v)
}

func (m message) all(field protowire.Number, list [][]byte) message {
	for _, data := range list {
		m = m.add(field, data)
	}
	return m
}

func (m message) append(other message) message { return append(m, other...) }

// fields returns the contents of a message's fields of that number.
func fields(data []byte, number protowire.Number) [][]byte {
	var list [][]byte
	for len(data) > 0 {
		found, kind, n := protowire.ConsumeField(data)
		must(protowire.ParseError(min(n, 0)))
		if _, _, tag := protowire.ConsumeTag(data); found == number && kind == protowire.BytesType {
			content, _ := protowire.ConsumeBytes(data[tag:n])
			list = append(list, content)
		}
		data = data[n:]
	}
	return list
}
