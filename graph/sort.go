package graph

import (
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// sorted reports whether every node comes after the nodes whose outputs it or its subgraphs read.
func (g *Graph) sorted() bool {
	seen := make(map[*Node]bool, g.count)
	var deps []*Node
	for n := range g.Nodes() {
		deps = n.deps(deps[:0])
		for _, d := range deps {
			if !seen[d] {
				return false
			}
		}
		seen[n] = true
	}
	return true
}

// deps appends the nodes of n's own graph whose outputs n or its subgraphs read.
func (n *Node) deps(out []*Node) []*Node {
	out = n.depsIn(n.graph, out)
	for _, s := range n.subs {
		for inner := range s.graph.All() {
			out = inner.depsIn(n.graph, out)
		}
		s.graph.walkGraphs(func(g *Graph) bool {
			out = g.ret.depsIn(n.graph, out)
			return true
		})
	}
	return out
}

func (n *Node) depsIn(g *Graph, out []*Node) []*Node {
	for _, e := range n.ins {
		if e != nil && e.value.def != nil && e.value.graph == g {
			out = append(out, e.value.def)
		}
	}
	return out
}

// Sort brings the nodes of the graph and its subgraphs into a topological
// order that keeps the present one as far as possible: a node moves only in
// front of its first reader. The error names a node of a cycle.
func (g *Graph) Sort() error {
	order, err := g.order()
	if err != nil {
		return err
	}
	moved := false
	at := g.ret.next
	for _, n := range order {
		moved = moved || n != at
		at = at.next
	}
	if moved {
		g.relink(order)
		g.model.edits++
	}
	for _, n := range order {
		for _, s := range n.subs {
			if err := s.graph.Sort(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (g *Graph) relink(order []*Node) {
	g.ret.prev, g.ret.next = g.ret, g.ret
	g.count = 0
	for _, n := range order {
		g.push(n)
	}
}

// frame is a node on the path of the depth-first walk, with the dependencies still to visit.
type frame struct {
	node *Node
	deps []*Node
}

func (g *Graph) order() ([]*Node, error) {
	const open, done = 1, 2
	state := make(map[*Node]int, g.count)
	order := make([]*Node, 0, g.count)
	var stack []frame
	visit := func(n *Node) {
		state[n] = open
		stack = append(stack, frame{n, n.deps(nil)})
	}
	for n := range g.Nodes() {
		if state[n] == 0 {
			visit(n)
		}
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			if len(top.deps) == 0 {
				state[top.node] = done
				order = append(order, top.node)
				stack = stack[:len(stack)-1]
				continue
			}
			d := top.deps[0]
			top.deps = top.deps[1:]
			switch state[d] {
			case 0:
				visit(d)
			case open:
				return nil, diag.New("OP3104", "the graph has a cycle", "node", d.Label(), "operator", d.Op(), "graph", g.proto.Name)
			}
		}
	}
	return order, nil
}
