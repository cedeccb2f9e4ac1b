package calib

import "github.com/onnxpass/onnxpass/graph"

// cut divides a main graph into what has been computed and what is still to
// come: a set of nodes that holds the producers of all that it reads.
type cut struct {
	graph *graph.Graph
	goals []*graph.Value       // what will be asked for, in any order
	due   map[*graph.Value]int // how often each of them still will be
	done  map[*graph.Node]bool
}

func newCut(g *graph.Graph, goals []*graph.Value) *cut {
	c := &cut{graph: g, goals: goals, due: map[*graph.Value]int{}, done: map[*graph.Node]bool{}}
	for _, v := range goals {
		c.due[v]++
	}
	return c
}

// pass moves the cut behind the values and returns what must be held there.
func (c *cut) pass(values []*graph.Value) []*graph.Value {
	c.walk(values, func(*graph.Value) {}, func(n *graph.Node) {
		if !cheap(n) {
			c.done[n] = true
		}
	})
	return c.frontier()
}

// ask counts one request for each of the values.
func (c *cut) ask(values []*graph.Value) {
	for _, v := range values {
		c.due[v]--
	}
}

// frontier lists the computed values and inputs that the rest of the goals needs, in graph order.
func (c *cut) frontier() []*graph.Value {
	var rest []*graph.Value
	for _, v := range c.goals {
		if c.due[v] > 0 {
			rest = append(rest, v)
		}
	}
	need := map[*graph.Value]bool{}
	c.walk(rest, func(v *graph.Value) { need[v] = true }, func(*graph.Node) {})
	var out []*graph.Value
	for _, v := range c.graph.Inputs() {
		if need[v] {
			out = append(out, v)
		}
	}
	for n := range c.graph.Nodes() {
		for _, v := range n.Outs() {
			if v != nil && need[v] {
				out = append(out, v)
			}
		}
	}
	return out
}

// walk goes from the values back to the cut: leaf hears of the values there, inner of the nodes on the way.
func (c *cut) walk(from []*graph.Value, leaf func(*graph.Value), inner func(*graph.Node)) {
	seen := map[*graph.Value]bool{}
	stack := append([]*graph.Value(nil), from...)
	visited := map[*graph.Node]bool{}
	for len(stack) > 0 {
		v := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		if seen[v] {
			continue
		}
		seen[v] = true
		n := v.Def()
		switch {
		case v.IsInput() && !v.IsInit() || n != nil && c.done[n]:
			leaf(v)
		case n != nil && !visited[n]:
			visited[n] = true
			inner(n)
			stack = append(stack, n.Reads()...)
		}
	}
}

// cheap nodes are computed again rather than held: a constant, and
// DequantizeLinear, whose input takes a quarter of the memory of its output.
func cheap(n *graph.Node) bool {
	return n.Is("DequantizeLinear", "Constant") || n.Out(0) != nil && n.Out(0).Const() != nil
}
