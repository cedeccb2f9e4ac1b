package cleanup

import (
	"context"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes"
)

// Dead removes nodes and initializers that nothing reads.
var Dead = passes.New(passes.Info{
	Name:    "dce",
	Summary: "remove nodes and initializers that nothing reads",
	Doc: `Dead code elimination: a node goes when none of its outputs is read, directly or through other dead nodes, and an
initializer when no node reads it. Nodes of domains that this tool does not know stay, they may have effects of their own.
Graph inputs and functions stay.`,
	Phase: passes.Cleanup,
}, struct{}{}, dead)

func dead(_ context.Context, env *passes.Env, _ struct{}) error {
	nodes := sweepNodes(env, env.Model.Main)
	inits := 0
	for _, g := range scopes(env.Model) {
		for _, v := range g.Initializers() {
			if v.NumUses() == 0 && !v.IsInput() {
				v.RemoveInit()
				inits++
			}
		}
		for _, v := range g.SparseInitializers() {
			if v.NumUses() == 0 {
				v.RemoveInit()
				inits++
			}
		}
	}
	count(env, "dead nodes removed", nodes)
	count(env, "unused initializers removed", inits)
	return nil
}

// sweepNodes goes backwards, so that readers go before what they read. A node
// that stays has its subgraphs swept before the nodes in front of it are looked at.
func sweepNodes(env *passes.Env, g *graph.Graph) (removed int) {
	var next *graph.Node
	for n := last(g); n != nil; n = next {
		next = n.Prev()
		switch {
		case !unused(n):
			for _, sub := range n.Subgraphs() {
				removed += sweepNodes(env, sub)
			}
		case !disposable(n):
			env.Skip(n, "nothing reads the node, but its domain is unknown: it may have effects")
		default:
			n.Remove()
			removed++
		}
	}
	return removed
}

func last(g *graph.Graph) *graph.Node { return g.Return().Prev() }
