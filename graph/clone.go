package graph

import (
	"iter"
	"maps"
)

// Clone copies topology and shares tensors and messages. Node and value order
// is the same, so the i-th node of the copy corresponds to the i-th of the
// original; names are equal.
func (m *Model) Clone() *Model {
	out := &Model{Header: m.Header, edits: m.edits}
	c := &cloner{model: out, values: make(map[*Value]*Value, 2*m.Main.count)}
	out.Main = c.root(m.Main, nil)
	for _, f := range m.Functions {
		fn := &Function{Proto: f.Proto}
		fn.Body = c.root(f.Body, fn)
		out.Functions = append(out.Functions, fn)
	}
	for _, v := range m.bound {
		out.bound = append(out.bound, c.value(v))
	}
	return out
}

type cloner struct {
	model  *Model
	fn     *Function
	family *family
	values map[*Value]*Value
}

func (c *cloner) root(g *Graph, fn *Function) *Graph {
	c.fn, c.family = fn, g.family.clone()
	return c.graph(g, nil)
}

func (f *family) clone() *family {
	return &family{values: maps.Clone(f.values), nodes: maps.Clone(f.nodes), next: maps.Clone(f.next)}
}

// value is the copy of v; of a removed value a removed one.
func (c *cloner) value(v *Value) *Value {
	if v == nil {
		return nil
	}
	if w := c.values[v]; w != nil {
		return w
	}
	w := new(Value)
	*w = *v
	w.def, w.first, w.last, w.nuses, w.slots = nil, nil, nil, 0, 0
	c.values[v] = w
	return w
}

// local copies a value that g defines.
func (c *cloner) local(v *Value, g *Graph) *Value {
	w := c.value(v)
	w.graph = g
	g.byName[w.name] = w
	return w
}

func (c *cloner) graph(g *Graph, owner *Node) *Graph {
	out := newGraph(c.model, c.fn, owner, c.family)
	out.byName = make(map[string]*Value, len(g.byName))
	out.proto = g.proto
	out.slots = append(out.slots, g.slots...)
	for _, v := range g.inputs {
		out.inputs = append(out.inputs, c.local(v, out))
	}
	for _, v := range g.Initializers() {
		w := c.local(v, out)
		w.pos = len(out.inits)
		out.inits = append(out.inits, w)
	}
	for _, v := range g.sparse {
		out.sparse = append(out.sparse, c.local(v, out))
	}
	c.nodes(out, g.Nodes(), g.count)
	c.link(g.ret, out.ret)
	for _, e := range g.infos {
		out.infos = append(out.infos, infoEntry{e.info, c.value(e.value)})
	}
	for _, a := range g.annots {
		b := annotation{proto: a.proto, value: c.value(a.value)}
		for _, p := range a.params {
			b.params = append(b.params, c.value(p))
		}
		out.annots = append(out.annots, b)
	}
	return out
}

// nodes copies count nodes into out in two steps, so that their order does not matter.
func (c *cloner) nodes(out *Graph, list iter.Seq[*Node], count int) {
	nodes := make([]Node, count)
	at := 0
	for n := range list {
		m := &nodes[at]
		at++
		m.graph, m.proto, m.constant = out, n.proto, n.constant
		m.outs = make([]*Value, len(n.outs))
		for i, v := range n.outs {
			if v != nil {
				m.outs[i] = c.local(v, out)
				m.outs[i].def = m
			}
		}
		out.push(m)
	}
	at = 0
	for n := range list {
		m := &nodes[at]
		at++
		c.link(n, m)
		for _, s := range n.subs {
			m.subs = append(m.subs, sub{s.attr, s.index, c.graph(s.graph, m)})
		}
	}
}

func (c *cloner) link(from, to *Node) {
	to.ins = make([]*edge, len(from.ins))
	for i, e := range from.ins {
		if e != nil {
			to.link(i, c.value(e.value))
		}
	}
}
