package verify

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/schema"
)

// scope is what can be read at one place of a graph: what the graph defined so far, and what encloses it.
type scope struct {
	graph   *graph.Graph
	outer   *scope
	defined map[*graph.Value]bool
	names   map[string]bool
}

func newScope(g *graph.Graph, outer *scope) *scope {
	s := &scope{graph: g, outer: outer, defined: make(map[*graph.Value]bool, g.NumNodes()), names: make(map[string]bool, g.NumNodes())}
	for _, list := range [][]*graph.Value{g.Inputs(), g.Initializers(), g.SparseInitializers()} {
		for _, v := range list {
			s.define(v)
		}
	}
	return s
}

func (s *scope) define(v *graph.Value) {
	s.defined[v] = true
	s.names[v.Name()] = true
}

// sees reports whether v is defined before the present place.
func (s *scope) sees(v *graph.Value) bool {
	for ; s != nil; s = s.outer {
		if s.graph == v.Graph() {
			return s.defined[v]
		}
	}
	return false
}

// hides reports whether an enclosing graph has defined the name.
func (s *scope) hides(name string) bool {
	for s = s.outer; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// graph checks the nodes of g and of what is nested in it.
func (c *checker) graph(g *graph.Graph, outer *scope) {
	s := newScope(g, outer)
	for n := range g.Nodes() {
		c.node(n, s)
		for _, sub := range n.Subgraphs() {
			c.graph(sub, s)
		}
		for _, v := range n.Outs() {
			if v == nil {
				continue
			}
			if s.hides(v.Name()) {
				c.addNode(n, "OP3117", "an output has the name of a value of an enclosing graph", "value", v.Name())
			}
			s.define(v)
		}
	}
	for i, v := range g.Outputs() {
		if v.Graph() != g && v.Name() == g.OutputName(i) {
			c.add("OP3118", "a graph output is not defined in its graph", "graph", g.Name(), "output", v.Name())
		}
	}
}

func (c *checker) node(n *graph.Node, s *scope) {
	if n.Op() == "" {
		c.addNode(n, "OP3116", "a node has no operator type")
		return
	}
	if n.NumIn() == 0 && n.NumOut() == 0 {
		c.addNode(n, "OP3116", "a node has neither inputs nor outputs")
	}
	for i, v := range n.Ins() {
		if v != nil && !s.sees(v) {
			c.addNode(n, "OP3115", "a value is read before it is defined", "input", fmt.Sprint(i), "value", v.Name())
		}
	}
	c.attributes(n)
	c.bodies(n)
	c.metadata(n.Proto().MetadataProps, "node", n.Label())
	c.operator(n)
}

// operator checks a node against the operator's table entry.
func (c *checker) operator(n *graph.Node) {
	if n.Version() == 0 {
		c.addNode(n, "OP3112", "the operator set of a node is not imported", "domain", domainName(n.Domain()))
		return
	}
	if c.callee(n) != nil {
		return
	}
	op, ok := schema.Lookup(n.Domain(), n.Op(), n.Version())
	if !ok {
		c.unknown(n)
		return
	}
	if op.Deprecated {
		c.addNode(n, "OP3125", "the operator is deprecated in this operator set", "opset", fmt.Sprint(n.Version()))
		return
	}
	if err := op.CheckArity(present(n.Ins()), present(n.Outs())); err != nil {
		c.addNode(n, "OP3123", err.Error())
		return
	}
	if err := op.CheckAttrs(n.Attrs()); err != nil {
		c.addNode(n, "OP3122", err.Error())
	}
	if err := op.CheckElems(elems(n.Ins()), elems(n.Outs())); err != nil {
		c.addNode(n, "OP3124", err.Error())
	}
}

// unknown refuses an operator that the table would have: one of a domain and version that it covers.
func (c *checker) unknown(n *graph.Node) {
	if latest := schema.Latest(n.Domain()); latest > 0 && n.Version() <= latest {
		c.addNode(n, "OP3125", "the operator does not exist in this operator set",
			"domain", domainName(n.Domain()), "opset", fmt.Sprint(n.Version()))
	}
}

func present(values []*graph.Value) []bool {
	out := make([]bool, len(values))
	for i, v := range values {
		out[i] = v != nil
	}
	return out
}

func elems(values []*graph.Value) []onnx.DataType {
	out := make([]onnx.DataType, len(values))
	for i, v := range values {
		if v != nil {
			out[i] = v.Elem()
		}
	}
	return out
}
