package graph

import (
	"errors"

	"github.com/onnxpass/onnxpass/graph/infer"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
)

// maxProblems bounds how many contradictions one inference reports.
const maxProblems = 50

// Infer computes types and shapes of all values; declared types of inputs,
// outputs and value_info are the start. Contradictions are returned as one
// joined error of *diag.Error (OP32xx); where a declaration and the operators
// disagree, values get the type that the operators compute.
//
// Function bodies are inferred once for every call, with the types of the
// call, and keep none of them.
func (m *Model) Infer() error {
	f := newInference(m)
	f.graph(m.Main)
	if len(f.problems) > maxProblems {
		f.problems = f.problems[:maxProblems]
	}
	return errors.Join(f.problems...)
}

// Forget drops what is known of the values that nodes compute: what the file
// declares and what was inferred. It is the thing to do, followed by Infer,
// after an edit that changes shapes. Entries of value_info are then written
// only where inference confirms them.
func (m *Model) Forget() {
	for n := range m.All() {
		for _, v := range n.outs {
			if v != nil {
				v.typ, v.declared, v.ints, v.floats = unknownType(), unknownType(), nil, nil
				v.forgotten = true
			}
		}
	}
	m.edits++
}

// inferNew gives the outputs of a node that was just made their types.
func inferNew(n *Node) { newInference(n.graph.model).node(n) }

// inference is one walk over a model.
type inference struct {
	model     *Model
	functions map[callee]*Function
	callers   []caller // innermost last
	problems  []error
	// budget bounds the work: bodies of nested loops are inferred several
	// times at each level, and functions once for every call.
	budget int
	// trying is set while a branch is only assumed; see settle.
	trying bool
	trials int
}

// maxTrials bounds the branches that settle tries, each of which infers what follows.
const maxTrials = 16

type callee struct{ domain, name, overload string }

// caller is what a function body sees of the node that calls it.
type caller struct {
	function *Function
	attr     func(string) *onnx.Attribute
}

func newInference(m *Model) *inference {
	f := &inference{model: m, budget: 20*m.Main.count + 100_000}
	if len(m.Functions) > 0 {
		f.functions = make(map[callee]*Function, len(m.Functions))
	}
	for _, fn := range m.Functions {
		f.functions[callee{plainDomain(fn.Proto.Domain), fn.Proto.Name, fn.Proto.Overload}] = fn
	}
	return f
}

func (f *inference) graph(g *Graph) {
	for n := range g.Nodes() {
		f.node(n)
		if !f.trying && f.trials < maxTrials && n.torn() {
			f.settle(n)
		}
	}
}

// torn tells whether the branches of an If disagree about the rank of an output.
func (n *Node) torn() bool {
	if !n.Is("If") || len(n.subs) != 2 {
		return false
	}
	a, b := n.subs[0].graph.ret, n.subs[1].graph.ret
	for i, v := range n.outs {
		if v == nil || v.typ.Shape.Ranked || v.typ.Other != nil {
			continue
		}
		x, y := a.In(i), b.In(i)
		if x != nil && y != nil && x.typ.Shape.Ranked && y.typ.Shape.Ranked {
			return true
		}
	}
	return false
}

// settle tries what follows an If with the outputs of either branch. When one of them leads
// to a contradiction, only the other can have been taken in an execution that ends.
func (f *inference) settle(n *Node) {
	f.trying = true
	f.trials++
	var fails [2]bool
	for i, s := range n.subs {
		f.adopt(n, s.graph)
		fails[i] = f.contradicted(n)
	}
	switch {
	case fails[0] && !fails[1]:
		f.adopt(n, n.subs[1].graph)
	case fails[1] && !fails[0]:
		f.adopt(n, n.subs[0].graph)
	default:
		f.node(n)
	}
	f.trying = false
}

// adopt makes the outputs of an If those of one branch.
func (f *inference) adopt(n *Node, g *Graph) {
	for i, v := range n.outs {
		if out := g.ret.In(i); v != nil && out != nil {
			v.typ, _ = infer.Merge(out.typ, v.declared)
			v.ints, v.floats = nil, nil
		}
	}
}

// contradicted infers the nodes of the graph behind n and tells whether a contradiction turns up.
func (f *inference) contradicted(n *Node) bool {
	before := f.problems
	defer func() { f.problems = before }()
	f.problems = nil
	for next := n.Next(); next != nil; next = next.Next() {
		f.node(next)
		if certain(f.problems) != nil {
			return true
		}
		f.problems = nil
	}
	return false
}

// certain is the first problem that makes an execution fail. A declaration may simply be wrong.
func certain(problems []error) error {
	for _, p := range problems {
		if e := (*diag.Error)(nil); errors.As(p, &e) && e.Code != "OP3205" {
			return p
		}
	}
	return nil
}

// node infers one node, its subgraphs included.
func (f *inference) node(n *Node) {
	if f.budget--; f.budget < 0 {
		return
	}
	fn := f.functions[callee{n.Domain(), n.Op(), n.proto.Overload}]
	if fn != nil {
		f.call(n, fn)
		return
	}
	bodies := &bodies{f: f, node: n}
	op := &infer.Op{Domain: n.Domain(), Type: n.Op(), Version: n.Version(), In: known(n), NumOut: len(n.outs), Attr: f.attr(n)}
	if len(n.subs) > 0 {
		op.Sub = bodies.infer
	}
	outs, err := infer.Infer(op)
	f.report(n, err)
	bodies.finish()
	for i, v := range n.outs {
		if v != nil && i < len(outs) {
			f.learn(v, outs[i])
		}
	}
}

// known is what the inputs of n are known to be.
func known(n *Node) []*infer.Value {
	in := make([]*infer.Value, len(n.ins))
	values := make([]infer.Value, len(n.ins))
	for i := range n.ins {
		if v := n.In(i); v != nil {
			values[i] = v.knowledge()
			in[i] = &values[i]
		}
	}
	return in
}

func (v *Value) knowledge() infer.Value {
	return infer.Value{Type: v.typ, Const: v.Const(), Ints: v.ints, Floats: v.floats}
}

// learn joins what the operator computes with what the file declares.
func (f *inference) learn(v *Value, got infer.Value) {
	t, ok := infer.Merge(got.Type, v.declared)
	if !ok {
		f.report(v.def, diag.New("OP3205", "an inferred type contradicts the declared one",
			"value", v.name, "declared", v.declared.String(), "inferred", got.Type.String()))
	}
	v.typ, v.ints, v.floats = t, got.Ints, got.Floats
}

func (f *inference) report(n *Node, err error) {
	if err == nil || len(f.problems) > maxProblems {
		return
	}
	var e *diag.Error
	if errors.As(err, &e) {
		named := *e
		named.Fields = append([]diag.Field{{Label: "node", Text: n.Label()}}, e.Fields...)
		err = &named
	}
	f.problems = append(f.problems, err)
}

// attr looks attributes up; inside a function, references are resolved by the call.
func (f *inference) attr(n *Node) func(string) *onnx.Attribute {
	if len(f.callers) == 0 {
		return n.Attr
	}
	c := f.callers[len(f.callers)-1]
	return func(name string) *onnx.Attribute {
		a := n.Attr(name)
		if a == nil || a.RefAttrName == "" {
			return a
		}
		if given := c.attr(a.RefAttrName); given != nil {
			return given
		}
		for _, d := range c.function.Proto.AttributeProto {
			if d.Name == a.RefAttrName {
				return d
			}
		}
		return nil
	}
}

// call infers the body of fn for the inputs of n. A function that calls itself
// (which verify refuses) stays unknown.
func (f *inference) call(n *Node, fn *Function) {
	for _, c := range f.callers {
		if c.function == fn {
			return
		}
	}
	if len(f.callers) >= maxDepth {
		return
	}
	f.callers = append(f.callers, caller{fn, f.attr(n)})
	for i, v := range fn.Body.inputs {
		if in := n.In(i); in != nil {
			v.assume(in.knowledge())
		} else {
			v.assume(infer.Value{})
		}
	}
	f.graph(fn.Body)
	for i, v := range n.outs {
		if out := fn.Body.ret.In(i); v != nil && out != nil {
			f.learn(v, out.knowledge())
		}
	}
	fn.Body.reset()
	f.callers = f.callers[:len(f.callers)-1]
}

// assume makes an input of a body what the outer node passes.
func (v *Value) assume(in infer.Value) {
	t, _ := infer.Merge(in.Type, v.declared)
	v.typ, v.ints, v.floats = t, in.Ints, in.Floats
	if v.ints == nil {
		v.ints = constInts(in.Const)
	}
}

// reset takes every value of the graph back to what is declared.
func (g *Graph) reset() {
	back := func(v *Value) {
		if v != nil && v.Const() == nil {
			v.typ, v.ints, v.floats = v.declared, nil, nil
		}
	}
	for _, v := range g.inputs {
		back(v)
	}
	for n := range g.Nodes() {
		for _, v := range n.outs {
			back(v)
		}
		for _, s := range n.subs {
			s.graph.reset()
		}
	}
}

// bodies infers the subgraphs of one node.
type bodies struct {
	f        *inference
	node     *Node
	problems []bodyProblems
}

// bodyProblems are the contradictions of the last inference of one body.
type bodyProblems struct {
	graph *Graph
	list  []error
}

// infer is infer.Op.Sub.
func (b *bodies) infer(attr string, in []infer.Value) ([]infer.Value, error) {
	g := b.node.Subgraph(attr)
	if g == nil {
		return nil, nil
	}
	for i, v := range g.inputs {
		if i < len(in) {
			v.assume(in[i])
		} else {
			v.assume(infer.Value{})
		}
	}
	problems := b.run(g)
	out := make([]infer.Value, len(g.ret.ins))
	for i := range out {
		out[i] = g.ret.In(i).knowledge()
	}
	if b.branches() {
		return out, certain(problems)
	}
	return out, nil
}

// branches tells whether the bodies are those of an If. A contradiction in one of them
// means that it is never taken, which is no fault of the model.
func (b *bodies) branches() bool { return b.node.Is("If") }

// run infers a body and returns what contradicts; what an earlier run of it reported no longer counts.
func (b *bodies) run(g *Graph) []error {
	mark := len(b.f.problems)
	b.f.graph(g)
	list := append([]error(nil), b.f.problems[mark:]...)
	b.f.problems = b.f.problems[:mark]
	for i := range b.problems {
		if b.problems[i].graph == g {
			b.problems[i].list = list
			return list
		}
	}
	b.problems = append(b.problems, bodyProblems{g, list})
	return list
}

// finish infers the bodies that the operator's rule did not ask for, and hands the contradictions on.
func (b *bodies) finish() {
	for _, s := range b.node.subs {
		seen := false
		for _, p := range b.problems {
			seen = seen || p.graph == s.graph
		}
		if !seen {
			s.graph.reset()
			b.run(s.graph)
		}
	}
	for _, p := range b.problems {
		if !b.branches() { // of an If, the operator's rule has judged them
			b.f.problems = append(b.f.problems, p.list...)
		}
	}
}
