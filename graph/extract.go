package graph

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// Extract is a model of its own that computes the values to from the values
// from: the nodes of the main graph in between, with the initializers that
// they read. Inputs of the model that are reached on the way become inputs
// too, behind those of from. Names, tensors and messages are shared as by
// Clone; the outputs carry the names of to, in its order without repetitions. All values must belong to
// the main graph, and from must not hold initializers.
func (m *Model) Extract(from, to []*Value) *Model {
	x := &extraction{given: map[*Value]bool{}, values: map[*Value]bool{}, nodes: map[*Node]bool{}}
	for _, v := range from {
		x.given[v] = true
	}
	x.reach(to)
	out := &Model{Header: m.Header}
	out.Header.TrainingInfo = nil
	c := &cloner{model: out, values: map[*Value]*Value{}}
	for _, f := range m.Functions {
		fn := &Function{Proto: f.Proto}
		fn.Body = c.root(f.Body, fn)
		out.Functions = append(out.Functions, fn)
	}
	c.fn, c.family = nil, m.Main.family.clone()
	out.Main = newGraph(out, nil, nil, c.family)
	out.Main.proto = m.Main.proto
	c.part(m.Main, out.Main, from, x)
	for _, v := range to {
		out.Main.AddOutput(c.values[v])
	}
	return out
}

// extraction is what an extract is made of.
type extraction struct {
	given, values map[*Value]bool
	nodes         map[*Node]bool
}

// reach marks what is needed for the values.
func (x *extraction) reach(to []*Value) {
	stack := slices.Clone(to)
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if x.values[v] {
			continue
		}
		x.values[v] = true
		if n := v.def; n != nil && !x.given[v] && !x.nodes[n] {
			x.nodes[n] = true
			stack = append(stack, n.Reads()...)
		}
	}
}

// Reads are the values of n's own graph that n or its subgraphs read; a value that is read twice appears twice.
func (n *Node) Reads() []*Value {
	var out []*Value
	add := func(from *Node) {
		for _, e := range from.ins {
			if e != nil && e.value.graph == n.graph {
				out = append(out, e.value)
			}
		}
	}
	add(n)
	for _, s := range n.subs {
		for inner := range s.graph.All() {
			add(inner)
		}
		s.graph.walkGraphs(func(g *Graph) bool {
			add(g.ret)
			return true
		})
	}
	return out
}

// part copies the marked values and nodes of g.
func (c *cloner) part(g, out *Graph, from []*Value, x *extraction) {
	taken := map[*Value]bool{}
	for _, v := range slices.Concat(from, g.inputs) {
		if taken[v] || !x.values[v] || v.init != nil && !x.given[v] {
			continue
		}
		taken[v] = true
		w := c.local(v, out)
		w.input, w.retyped, w.declared = true, false, v.typ
		w.info = &onnx.ValueInfo{Name: v.name, Type: protoType(v.typ)}
		out.inputs = append(out.inputs, w)
	}
	for _, v := range g.inits {
		if v == nil || !x.values[v] {
			continue
		}
		w := c.local(v, out)
		w.pos, w.input, w.info = len(out.inits), false, nil
		out.inits = append(out.inits, w)
	}
	for _, v := range g.sparse {
		if x.values[v] {
			out.sparse = append(out.sparse, c.local(v, out))
		}
	}
	c.nodes(out, func(yield func(*Node) bool) {
		for n := range g.Nodes() {
			if x.nodes[n] && !yield(n) {
				return
			}
		}
	}, len(x.nodes))
}
