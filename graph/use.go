package graph

// Use is one place where a value is read. Node.Op() is "" for the hidden Return node: see IsReturn.
type Use struct {
	Node  *Node
	Index int
}

// Set makes the use read v instead.
func (u Use) Set(v *Value) { u.Node.SetIn(u.Index, v) }

// Value is what the use reads.
func (u Use) Value() *Value { return u.Node.In(u.Index) }

// IsReturn reports whether the use is an output of a graph.
func (u Use) IsReturn() bool { return u.Node == u.Node.graph.ret }

// edge is a use in the value's list of uses.
type edge struct {
	node       *Node
	index      int
	value      *Value
	prev, next *edge
}

// link makes v input i, which must be absent.
func (n *Node) link(i int, v *Value) { n.linkEdge(&edge{}, i, v) }

func (n *Node) linkEdge(e *edge, i int, v *Value) {
	*e = edge{node: n, index: i, value: v, prev: v.last}
	if v.last != nil {
		v.last.next = e
	} else {
		v.first = e
	}
	v.last = e
	v.nuses++
	if n == n.graph.ret {
		v.slots++
	}
	n.ins[i] = e
}

// unlink makes input i absent.
func (n *Node) unlink(i int) {
	e := n.ins[i]
	if e == nil {
		return
	}
	v := e.value
	if e.prev != nil {
		e.prev.next = e.next
	} else {
		v.first = e.next
	}
	if e.next != nil {
		e.next.prev = e.prev
	} else {
		v.last = e.prev
	}
	v.nuses--
	if n == n.graph.ret {
		v.slots--
	}
	n.ins[i] = nil
}

// ReplaceUses makes the uses that pass only (nil: all) use with instead. Graph outputs are uses like others.
func (v *Value) ReplaceUses(with *Value, only func(Use) bool) {
	if with == v {
		return
	}
	for _, u := range v.Uses() {
		if only == nil || only(u) {
			u.Set(with)
		}
	}
}
