// Package graph is the mutable form of a model: nodes, values and uses with
// def-use links, imported from and exported to onnx.Model. Topology is
// mutable, tensor data is immutable and lazy.
//
// Messages of package onnx that a graph holds are never changed in place: an
// edit replaces a message by an altered copy. So what Import was given, what
// Export returned and what Clone made stay independent of each other, and an
// untouched message is written again exactly as it was read.
package graph

import (
	"iter"

	"github.com/onnxpass/onnxpass/onnx"
)

// Graph is a list of nodes in topological order with inputs, outputs and
// initializers. The list ends in the hidden Return node, whose inputs are the
// graph's outputs.
type Graph struct {
	model  *Model
	fn     *Function // set for function bodies and what is nested in them
	owner  *Node
	family *family
	proto  onnx.Graph // name, doc, metadata, unknown fields; the lists are unset

	ret    *Node // sentinel of the circular node list
	count  int
	inputs []*Value
	slots  []slot
	inits  []*Value // nil where one was removed
	gaps   int      // number of nils in inits
	sparse []*Value
	infos  []infoEntry
	annots []annotation
	byName map[string]*Value
}

// slot is an output of the graph: its public name and declaration. The value
// is the Return node's input of the same index.
type slot struct {
	name string
	info *onnx.ValueInfo // nil in function bodies
}

// infoEntry is a value_info entry and the value that it describes (nil when it names nothing).
type infoEntry struct {
	info  *onnx.ValueInfo
	value *Value
}

// annotation is a quantization_annotation entry with the values it names (nil where a name is unknown).
type annotation struct {
	proto  *onnx.TensorAnnotation
	value  *Value
	params []*Value
}

func newGraph(m *Model, fn *Function, owner *Node, f *family) *Graph {
	g := &Graph{model: m, fn: fn, owner: owner, family: f, byName: map[string]*Value{}}
	g.ret = &Node{graph: g, proto: &onnx.Node{}}
	g.ret.prev, g.ret.next = g.ret, g.ret
	return g
}

// Model is the model that the graph belongs to.
func (g *Graph) Model() *Model { return g.model }

// Function is the function whose body the graph is or is nested in; nil for the main graph and its subgraphs.
func (g *Graph) Function() *Function { return g.fn }

// Name is the name in the file.
func (g *Graph) Name() string { return g.proto.Name }

// SetName changes the name.
func (g *Graph) SetName(name string) {
	g.proto.Name = name
	g.model.edits++
}

// Owner is the node whose attribute the graph is; nil for main graphs and function bodies.
func (g *Graph) Owner() *Node { return g.owner }

// Nodes yields the nodes in order, without the Return node. The current node
// may be removed; nodes inserted after it are visited, nodes inserted before it are not.
func (g *Graph) Nodes() iter.Seq[*Node] {
	return func(yield func(*Node) bool) {
		for n := g.ret.next; n != g.ret; n = n.next {
			if !n.removed && !yield(n) {
				return
			}
		}
	}
}

// All yields the nodes with those of subgraphs, outer node first.
func (g *Graph) All() iter.Seq[*Node] {
	return func(yield func(*Node) bool) { g.walk(yield) }
}

func (g *Graph) walk(yield func(*Node) bool) bool {
	for n := range g.Nodes() {
		if !yield(n) {
			return false
		}
		for _, s := range n.subs {
			if !s.graph.walk(yield) {
				return false
			}
		}
	}
	return true
}

func (g *Graph) walkGraphs(yield func(*Graph) bool) bool {
	if !yield(g) {
		return false
	}
	for n := range g.Nodes() {
		for _, s := range n.subs {
			if !s.graph.walkGraphs(yield) {
				return false
			}
		}
	}
	return true
}

// NumNodes is the number of nodes, subgraphs not counted.
func (g *Graph) NumNodes() int { return g.count }

// Inputs are the declared inputs in order, initializers among them included.
func (g *Graph) Inputs() []*Value { return append([]*Value(nil), g.inputs...) }

// Outputs are the values that the Return node uses, in slot order.
func (g *Graph) Outputs() []*Value { return g.ret.Ins() }

// OutputName is the public name of output i. It may differ from the name of
// the value until the graph is exported.
func (g *Graph) OutputName(i int) string { return g.slots[i].name }

// OutputInfo is the declaration of output i as read; nil in function bodies. Read only.
func (g *Graph) OutputInfo(i int) *onnx.ValueInfo { return g.slots[i].info }

// Return is the hidden node whose inputs are the graph's outputs.
func (g *Graph) Return() *Node { return g.ret }

// Initializers are the dense initializers in file order.
func (g *Graph) Initializers() []*Value {
	out := make([]*Value, 0, len(g.inits)-g.gaps)
	for _, v := range g.inits {
		if v != nil {
			out = append(out, v)
		}
	}
	return out
}

// SparseInitializers are the sparse initializers in file order.
func (g *Graph) SparseInitializers() []*Value { return append([]*Value(nil), g.sparse...) }

// Value finds a value by name in this graph and the enclosing ones; nil when there is none.
func (g *Graph) Value(name string) *Value {
	for ; g != nil; g = g.parent() {
		if v := g.byName[name]; v != nil {
			return v
		}
	}
	return nil
}

// Local finds a value by name in this graph alone; nil when there is none.
func (g *Graph) Local(name string) *Value { return g.byName[name] }

func (g *Graph) parent() *Graph {
	if g.owner == nil {
		return nil
	}
	return g.owner.graph
}

// End is the insertion point behind the last node.
func (g *Graph) End() *Cursor { return g.ret.Before() }

// Begin is the insertion point before the first node.
func (g *Graph) Begin() *Cursor { return &Cursor{graph: g, at: g.ret, after: true} }

// Init adds an initializer. The tensor's name is ignored: the value gets a free name made from hint.
func (g *Graph) Init(hint string, t *onnx.Tensor) *Value {
	v := &Value{graph: g, init: t, pos: len(g.inits)}
	g.name(v, g.family.fresh(hint, "const"))
	v.typ = tensorType(t)
	v.declared = v.typ
	g.inits = append(g.inits, v)
	g.model.edits++
	return v
}

// DropInput removes input i from the interface. It panics when the input is
// used and is not an initializer as well.
func (g *Graph) DropInput(i int) {
	v := g.inputs[i]
	if v.init == nil && v.nuses > 0 {
		panic("graph: DropInput of " + v.name + ", which is used")
	}
	g.inputs = append(g.inputs[:i:i], g.inputs[i+1:]...)
	v.input, v.info = false, nil
	if v.init == nil {
		g.forget(v)
	}
	g.model.edits++
}

// AddOutput makes v an additional output under its own name and returns its
// slot; nothing happens when it already is an output under that name. The
// slot's name is made unique when another output has it.
func (g *Graph) AddOutput(v *Value) int {
	if v.graph != g {
		panic("graph: AddOutput of " + v.name + ", a value of another graph")
	}
	name := v.name
	if g.family.values[name] > 1 {
		for i, s := range g.slots {
			if s.name == name && g.ret.In(i) == v {
				return i
			}
		}
		if g.isSlot(name) {
			name = g.family.fresh(name, "")
		}
	}
	g.slots = append(g.slots, slot{name, &onnx.ValueInfo{Name: name, Type: protoType(v.typ)}})
	g.family.values[name]++
	g.ret.ins = append(g.ret.ins, nil)
	g.ret.link(len(g.ret.ins)-1, v)
	g.model.edits++
	return len(g.slots) - 1
}

// SetOutputType changes the declared type of output i. Nothing else changes it.
func (g *Graph) SetOutputType(i int, t Type) {
	info := *g.slots[i].info
	info.Type = protoType(t)
	g.slots[i].info = &info
	g.model.edits++
}

// name registers v in the graph under a name that is free in it.
func (g *Graph) name(v *Value, name string) {
	v.name = name
	g.byName[name] = v
	g.family.values[name]++
}

// forget takes v out of the name table for good.
func (g *Graph) forget(v *Value) {
	v.gone = true
	g.family.release(v.name)
	if g.byName[v.name] == v {
		delete(g.byName, v.name)
	}
}
