// Package damage changes models at random for fuzz tests: to other valid models, and to models that no exporter writes.
package damage

import (
	"math/rand/v2"

	"github.com/rcfreeze/rcfreeze/internal/onnxpb"
	"google.golang.org/protobuf/proto"
)

// changes are all the ways to change a model, each at a place that the editor picks.
var changes = []func(*editor){
	(*editor).deleteNode, (*editor).repeatNode, (*editor).swapNodes, (*editor).renameNode, (*editor).callOther,
	(*editor).rewire, (*editor).renameOutput, (*editor).addInput, (*editor).dropInput,
	(*editor).deleteAttribute, (*editor).repeatAttribute, (*editor).renameAttribute, (*editor).changeAttribute,
	(*editor).addAttribute, (*editor).changeDims, (*editor).claimDims, (*editor).changeType, (*editor).changeData,
	(*editor).moveOutside, (*editor).makeTyped, (*editor).makeSparse, (*editor).makeNode, (*editor).fillWeight,
	(*editor).deleteTensor, (*editor).repeatTensor, (*editor).nest, (*editor).nestDeep, (*editor).callItself,
	(*editor).changePorts, (*editor).changeShape, (*editor).changeVersion, (*editor).changeMetadata,
}

// mostChanges is the largest number of changes to a model.
const mostChanges = 8

// Model returns the bytes of an ONNX file after random changes, which depend on seed; 0 means no changes. Data that is not an
// ONNX file is returned as it is.
func Model(data []byte, seed uint64) []byte {
	m := &onnxpb.ModelProto{}
	if err := proto.Unmarshal(data, m); err != nil || m.Graph == nil {
		return data
	}
	e := &editor{Rand: rand.New(rand.NewPCG(seed, 0)), model: m}
	for range seed % (mostChanges + 1) {
		e.look()
		pick(e, changes)(e)
	}
	changed, err := proto.Marshal(m)
	if err != nil { // a string that is no UTF-8
		return data
	}
	return changed
}

// editor knows the parts of a model.
type editor struct {
	*rand.Rand
	model   *onnxpb.ModelProto
	graphs  []*onnxpb.GraphProto
	nodes   []*onnxpb.NodeProto
	tensors []*onnxpb.TensorProto
	names   []string // of values
}

// look lists the parts of the model.
func (e *editor) look() {
	e.graphs, e.nodes, e.tensors, e.names = nil, nil, nil, []string{"", "x"}
	e.lookAt(e.model.Graph)
	for _, f := range e.model.Functions {
		e.lookAtNodes(f.Node)
	}
}

func (e *editor) lookAt(g *onnxpb.GraphProto) {
	e.graphs = append(e.graphs, g)
	e.tensors = append(e.tensors, g.Initializer...)
	for _, list := range [][]*onnxpb.ValueInfoProto{g.Input, g.Output} {
		for _, info := range list {
			e.names = append(e.names, info.GetName())
		}
	}
	for _, t := range g.Initializer {
		e.names = append(e.names, t.GetName())
	}
	e.lookAtNodes(g.Node)
}

func (e *editor) lookAtNodes(nodes []*onnxpb.NodeProto) {
	for _, n := range nodes {
		e.nodes = append(e.nodes, n)
		e.names = append(e.names, n.Output...)
		for _, a := range n.Attribute {
			if a.T != nil {
				e.tensors = append(e.tensors, a.T)
			}
			for _, g := range append(a.Graphs, a.G) {
				if g != nil {
					e.lookAt(g)
				}
			}
		}
	}
}

// pick returns one of the list, the zero value of an empty one.
func pick[T any](e *editor, list []T) (one T) {
	if len(list) > 0 {
		one = list[e.IntN(len(list))]
	}
	return one
}

// anywhere returns an index of a list of n, 0 of an empty one.
func (e *editor) anywhere(n int) int { return e.IntN(max(n, 1)) }

func (e *editor) graph() *onnxpb.GraphProto { return pick(e, e.graphs) }

// node returns a node; one that is in no graph if there is none.
func (e *editor) node() *onnxpb.NodeProto {
	if n := pick(e, e.nodes); n != nil {
		return n
	}
	return &onnxpb.NodeProto{}
}

// tensor returns a tensor; one that is in no graph if there is none.
func (e *editor) tensor() *onnxpb.TensorProto {
	if t := pick(e, e.tensors); t != nil {
		return t
	}
	return &onnxpb.TensorProto{}
}

// number returns a number as it is at home in attributes and dims, or one at the border of a type.
func (e *editor) number() int64 {
	if e.IntN(2) == 0 {
		return e.Int64N(8)
	}
	return pick(e, []int64{-1, -2, 16, 64, 255, 1000, 65536, 1e9, 1<<31 - 1, 1 << 31, 1 << 32, 1<<32 + 1, 3037000500,
		1 << 40, 1 << 61, 1 << 62, 1<<63 - 1, -1 << 31, -1 << 63})
}

func (e *editor) numbers() []int64 {
	list := make([]int64, e.IntN(6))
	for i := range list {
		list[i] = e.number()
	}
	return list
}

// newName returns a name that may be taken.
func (e *editor) newName() string {
	return pick(e, []string{"", "a", "b", "conv", "conv.bank", "\x00", "näme", pick(e, e.names)})
}
