package cleanup

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// Branches replaces If nodes of constant condition by the branch that is taken.
var Branches = passes.New(passes.Info{
	Name:    "branches",
	Summary: "replace If nodes of constant condition by the branch that is taken",
	Doc: `When the condition of an If is a constant, or follows from known shapes, the nodes and initializers of the branch that
is taken move in front of it and the If goes. Names that are taken get a suffix. Ifs whose condition depends on the input stay.`,
	Phase: passes.Cleanup,
	Needs: []string{"constants"},
}, struct{}{}, branches)

func branches(_ context.Context, env *passes.Env, _ struct{}) error {
	inlined := 0
	var visit func(g *graph.Graph)
	visit = func(g *graph.Graph) {
		for n := firstOf(g); n != nil; {
			if body := taken(n); body != nil {
				env.Plan(n, "inline branch", body.Name())
				n = inline(n, body)
				inlined++
				continue
			}
			for _, sub := range n.Subgraphs() {
				visit(sub)
			}
			n = n.Next()
		}
	}
	visit(env.Model.Main)
	count(env, "branches inlined", inlined)
	return nil
}

func firstOf(g *graph.Graph) *graph.Node {
	for n := range g.Nodes() {
		return n
	}
	return nil
}

// taken is the branch that an If always takes; nil when that is not known.
func taken(n *graph.Node) *graph.Graph {
	if !n.Is("If") || n.In(0) == nil {
		return nil
	}
	cond, ok := ints(n.In(0))
	if !ok || len(cond) != 1 {
		return nil
	}
	body := n.Subgraph("else_branch")
	if cond[0] != 0 {
		body = n.Subgraph("then_branch")
	}
	if body == nil || len(body.SparseInitializers()) > 0 || len(body.Outputs()) < n.NumOut() {
		return nil
	}
	return body
}

// inline moves the body in front of n, removes n and returns the node to look at next.
func inline(n *graph.Node, body *graph.Graph) *graph.Node {
	outer := n.Graph()
	inits := body.Initializers()
	copies := make([]*graph.Value, len(inits))
	for i, v := range inits {
		copies[i] = outer.Init(v.Name(), v.Const())
		v.ReplaceUses(copies[i], nil)
	}
	var first *graph.Node
	at := n.Before()
	for m := range body.Nodes() {
		if first == nil {
			first = m
		}
	}
	for m := firstOf(body); m != nil; m = firstOf(body) {
		at.Move(m)
	}
	for i, v := range body.Outputs() {
		if out := n.Out(i); out != nil {
			out.ReplaceUses(v, nil)
		}
	}
	next := n.Next()
	cond := n.In(0)
	n.Remove()
	for i, v := range inits {
		copies[i].Rename(v.Name())
	}
	release(cond)
	if first != nil && !first.Removed() {
		return first
	}
	return next
}
