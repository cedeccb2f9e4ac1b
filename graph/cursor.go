package graph

import (
	"strconv"

	"github.com/onnxpass/onnxpass/onnx"
)

// PassKey is the metadata key under which a node says which pass made it.
const PassKey = "onnxpass.pass"

// Cursor is an insertion point. Nodes inserted one after another stay in that
// order. When the node that it is anchored at goes away, the next one takes its place.
type Cursor struct {
	graph *Graph
	at    *Node
	after bool
	by    string
}

// By names the pass that creates nodes here; it goes into each new node's metadata under PassKey.
func (c *Cursor) By(pass string) *Cursor {
	c.by = pass
	return c
}

// Graph is the graph that the cursor inserts into.
func (c *Cursor) Graph() *Graph { return c.graph }

// Op inserts a node of the ai.onnx domain with one output: created, named from
// hint, linked and its type inferred in one step.
func (c *Cursor) Op(op, hint string, in ...*Value) *Node {
	return c.OpN(op, "", hint, 1, nil, in...)
}

// OpN is Op for several outputs, another domain, or attributes needed by
// inference. Graph attributes are not possible.
func (c *Cursor) OpN(op, domain, hint string, outs int, attrs []*onnx.Attribute, in ...*Value) *Node {
	g := c.graph
	n := &Node{graph: g}
	p := &onnx.Node{OpType: op, Domain: plainDomain(domain)}
	p.Name = g.family.freshNode(hint, op)
	g.family.nodes[p.Name]++
	if c.by != "" {
		p.MetadataProps = []onnx.Entry{{Key: PassKey, Value: c.by}}
	}
	for _, a := range attrs {
		if a.G != nil || len(a.Graphs) > 0 {
			panic("graph: OpN with a graph attribute")
		}
	}
	p.Attribute = append(p.Attribute, attrs...)
	n.replace(p)
	for i := range outs {
		n.AddOut(outputHint(p.Name, hint, i))
	}
	n.setIns(in)
	c.insert(n)
	inferNew(n)
	return n
}

func outputHint(name, hint string, i int) string {
	if hint == "" {
		hint = name
	}
	if i == 0 {
		return hint
	}
	return hint + "_out" + strconv.Itoa(i)
}

func (n *Node) setIns(in []*Value) {
	for len(in) > 0 && in[len(in)-1] == nil {
		in = in[:len(in)-1]
	}
	n.ins = make([]*edge, len(in))
	for i, v := range in {
		if v != nil {
			n.link(i, v)
		}
	}
}

// insert puts n, which is in no list, at the cursor.
func (c *Cursor) insert(n *Node) {
	if c.at.removed {
		c.at, c.after = c.at.nextOrReturn(), false
	}
	prev := c.at.prev
	if c.after {
		prev = c.at
		c.at = n
	}
	n.prev, n.next = prev, prev.next
	prev.next, n.next.prev = n, n
	c.graph.count++
	c.graph.model.edits++
}

func (n *Node) nextOrReturn() *Node {
	if next := n.Next(); next != nil {
		return next
	}
	return n.graph.ret
}

// Move takes n out of its place and puts it here, with everything linked as it
// is. A node from another graph of the same model family takes its outputs
// along; names that are taken in the new graph change.
func (c *Cursor) Move(n *Node) {
	if n.removed || n == n.graph.ret || n.graph.family != c.graph.family {
		panic("graph: Move of " + n.Label() + ", which is not in this model family")
	}
	if c.at == n {
		c.at, c.after = n.nextOrReturn(), false
	}
	n.prev.next, n.next.prev = n.next, n.prev
	n.graph.count--
	if n.graph != c.graph {
		n.adopt(c.graph)
	}
	c.insert(n)
}

// adopt moves the names of n's outputs into g.
func (n *Node) adopt(g *Graph) {
	for _, v := range n.outs {
		if v == nil {
			continue
		}
		v.graph.forget(v)
		v.gone = false
		v.graph = g
		g.name(v, g.family.fresh(v.name, n.proto.OpType))
	}
	n.graph = g
}
