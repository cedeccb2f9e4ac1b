package graph

import (
	"github.com/onnxpass/onnxpass/onnx"
)

// Node is one operator. Nil inputs and outputs are absent optional ones.
type Node struct {
	graph      *Graph
	proto      *onnx.Node // never changed in place; Input and Output may be stale
	prev, next *Node
	ins        []*edge // nil where an optional input is absent
	outs       []*Value
	subs       []sub
	constant   *onnx.Tensor // value of a Constant node
	removed    bool
}

// sub is a graph attribute. index is -1 for AttributeProto.g, else the position in graphs.
type sub struct {
	attr  string
	index int
	graph *Graph
}

// Op is the operator type; "" for the hidden Return node.
func (n *Node) Op() string { return n.proto.OpType }

// Domain is the operator's domain, "" for ai.onnx.
func (n *Node) Domain() string { return plainDomain(n.proto.Domain) }

// Is reports whether the node is an ai.onnx operator of one of the types.
func (n *Node) Is(ops ...string) bool {
	if n.Domain() != "" {
		return false
	}
	for _, op := range ops {
		if n.proto.OpType == op {
			return true
		}
	}
	return false
}

// Name is the name in the file, often empty.
func (n *Node) Name() string { return n.proto.Name }

// SetName renames the node to a free name made from hint.
func (n *Node) SetName(hint string) {
	f := n.graph.family
	f.dropNode(n.proto.Name)
	p := *n.proto
	p.Name = f.freshNode(hint, p.OpType)
	f.nodes[p.Name]++
	n.replace(&p)
}

func (f *family) dropNode(name string) {
	if f.nodes[name]--; f.nodes[name] <= 0 {
		delete(f.nodes, name)
	}
}

// Label names the node in messages: its name, or "Op producing VALUE" when it has none.
func (n *Node) Label() string {
	if n.proto.Name != "" {
		return n.proto.Name
	}
	if n == n.graph.ret {
		return "outputs of graph " + n.graph.Name()
	}
	for _, v := range n.outs {
		if v != nil {
			return n.proto.OpType + " producing " + v.name
		}
	}
	return n.proto.OpType
}

// Graph is the graph that the node is in.
func (n *Node) Graph() *Graph { return n.graph }

// Version is the opset version in force for the node's domain; functions have their own imports. 0 when not imported.
func (n *Node) Version() int64 {
	if fn := n.graph.fn; fn != nil {
		return opset(fn.Proto.OpsetImport, n.proto.Domain)
	}
	return n.graph.model.Opset(n.proto.Domain)
}

// Proto is the message behind the node: doc, metadata, overload. Read only;
// its inputs and outputs may be stale, and its graph attributes are empty.
func (n *Node) Proto() *onnx.Node { return n.proto }

// SetOp changes the operator.
func (n *Node) SetOp(op, domain string) {
	p := *n.proto
	p.OpType, p.Domain = op, plainDomain(domain)
	n.replace(&p)
}

// SetMeta sets an entry of the node's metadata.
func (n *Node) SetMeta(key, value string) {
	p := *n.proto
	p.MetadataProps = withEntry(p.MetadataProps, key, value)
	n.replace(&p)
}

// Meta is an entry of the node's metadata, "" when there is none.
func (n *Node) Meta(key string) string {
	for _, e := range n.proto.MetadataProps {
		if e.Key == key {
			return e.Value
		}
	}
	return ""
}

func withEntry(entries []onnx.Entry, key, value string) []onnx.Entry {
	out := append([]onnx.Entry(nil), entries...)
	for i := range out {
		if out[i].Key == key {
			out[i].Value = value
			return out
		}
	}
	return append(out, onnx.Entry{Key: key, Value: value})
}

// replace makes p the node's message.
func (n *Node) replace(p *onnx.Node) {
	n.proto = p
	n.constant = constantOf(n)
	n.graph.model.edits++
}

// NumIn is the number of inputs, absent ones included.
func (n *Node) NumIn() int { return len(n.ins) }

// NumOut is the number of outputs, absent ones included.
func (n *Node) NumOut() int { return len(n.outs) }

// In is input i; nil when absent or out of range.
func (n *Node) In(i int) *Value {
	if i < 0 || i >= len(n.ins) || n.ins[i] == nil {
		return nil
	}
	return n.ins[i].value
}

// Out is output i; nil when absent or out of range.
func (n *Node) Out(i int) *Value {
	if i < 0 || i >= len(n.outs) {
		return nil
	}
	return n.outs[i]
}

// Ins are the inputs, nil where one is absent.
func (n *Node) Ins() []*Value {
	out := make([]*Value, len(n.ins))
	for i, e := range n.ins {
		if e != nil {
			out[i] = e.value
		}
	}
	return out
}

// Outs are the outputs, nil where one is absent.
func (n *Node) Outs() []*Value { return append([]*Value(nil), n.outs...) }

// SetIn makes v input i (nil: absent). The list grows when i is beyond it; trailing nils are dropped.
func (n *Node) SetIn(i int, v *Value) {
	if n == n.graph.ret && (v == nil || i >= len(n.ins)) {
		panic("graph: SetIn of the Return node outside its slots")
	}
	if n.removed {
		panic("graph: SetIn of removed node " + n.Label())
	}
	for len(n.ins) <= i {
		n.ins = append(n.ins, nil)
	}
	n.unlink(i)
	if v != nil {
		n.link(i, v)
	}
	for v == nil && len(n.ins) > 0 && n.ins[len(n.ins)-1] == nil {
		n.ins = n.ins[:len(n.ins)-1]
	}
	n.graph.model.edits++
}

// AddOut appends an output and returns its value, named from hint.
func (n *Node) AddOut(hint string) *Value {
	v := &Value{graph: n.graph, def: n, index: len(n.outs)}
	n.graph.name(v, n.graph.family.fresh(hint, n.proto.OpType))
	n.outs = append(n.outs, v)
	n.graph.model.edits++
	return v
}

// DropOut makes output i absent. It must be unused. Trailing absent outputs are dropped.
func (n *Node) DropOut(i int) {
	v := n.outs[i]
	if v.nuses > 0 {
		panic("graph: DropOut of " + v.name + ", which is used")
	}
	n.graph.forget(v)
	n.outs[i] = nil
	for len(n.outs) > 0 && n.outs[len(n.outs)-1] == nil {
		n.outs = n.outs[:len(n.outs)-1]
	}
	n.graph.model.edits++
}

// Removed reports whether the node was taken out of its graph.
func (n *Node) Removed() bool { return n.removed }

// Next is the following node that is still in the graph; nil behind the last one.
func (n *Node) Next() *Node {
	next := n.next
	for next.removed {
		next = next.next
	}
	if next == n.graph.ret {
		return nil
	}
	return next
}

// Prev is the preceding node; nil before the first one and for removed nodes.
func (n *Node) Prev() *Node {
	if n.removed || n.prev == n.graph.ret {
		return nil
	}
	return n.prev
}

// Before is the insertion point in front of the node.
func (n *Node) Before() *Cursor { return &Cursor{graph: n.graph, at: n} }

// After is the insertion point behind the node.
func (n *Node) After() *Cursor { return &Cursor{graph: n.graph, at: n, after: true} }

// Remove takes the node out for good, with its subgraphs. It panics when an
// output is still used: that is a broken invariant of the caller.
func (n *Node) Remove() {
	for _, v := range n.outs {
		if v != nil && v.nuses > 0 {
			panic("graph: Remove of " + n.Label() + ": output " + v.name + " is used")
		}
	}
	if n.removed || n == n.graph.ret {
		panic("graph: Remove of " + n.Label() + ", which is not in the graph")
	}
	n.detach()
	n.prev.next, n.next.prev = n.next, n.prev
	n.removed = true
	n.graph.count--
	n.graph.model.edits++
}

// detach unlinks everything that the node and its subgraphs use and frees their names.
func (n *Node) detach() {
	for i := range n.ins {
		n.unlink(i)
	}
	for _, v := range n.outs {
		if v != nil {
			n.graph.forget(v)
		}
	}
	if n.proto.Name != "" {
		n.graph.family.dropNode(n.proto.Name)
	}
	for _, s := range n.subs {
		s.graph.detach()
	}
}

// detach frees all that a subgraph uses outside itself. Its own nodes stay
// linked in their list, marked removed.
func (g *Graph) detach() {
	for n := g.ret.next; n != g.ret; n = n.next {
		if !n.removed {
			n.detach()
			n.removed = true
		}
	}
	for i := range g.ret.ins {
		g.ret.unlink(i)
	}
	for _, s := range g.slots {
		g.family.release(s.name)
	}
	for _, lists := range [][]*Value{g.inputs, g.inits, g.sparse} {
		for _, v := range lists {
			if v != nil && !v.gone {
				g.forget(v)
			}
		}
	}
}
