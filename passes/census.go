package passes

import (
	"sort"

	"github.com/onnxpass/onnxpass/graph"
)

// census is the set of nodes of a model at one moment.
type nodeSet map[*graph.Node]string // operator type, which a pass may change in place

func census(m *graph.Model) nodeSet {
	set := make(nodeSet, m.Main.NumNodes())
	for n := range m.All() {
		set[n] = n.Op()
	}
	return set
}

// count fills in what changed between two moments.
func (r *StepReport) count(before, after nodeSet) {
	r.NodesBefore, r.NodesAfter = len(before), len(after)
	ops := map[string]*OpChange{}
	at := func(op string) *OpChange {
		if ops[op] == nil {
			ops[op] = &OpChange{Op: op}
		}
		return ops[op]
	}
	for n, op := range before {
		at(op).Before++
		if _, stays := after[n]; !stays {
			r.NodesRemoved++
		}
	}
	for n, op := range after {
		at(op).After++
		if _, old := before[n]; !old {
			r.NodesAdded++
		}
	}
	for _, c := range ops {
		if c.Before != c.After {
			r.Ops = append(r.Ops, *c)
		}
	}
	sort.Slice(r.Ops, func(i, j int) bool { return r.Ops[i].Op < r.Ops[j].Op })
}
