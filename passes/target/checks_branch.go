package target

import "github.com/onnxpass/onnxpass/graph"

// checkBranchRanks finds If nodes whose branches give an output of different
// ranks, unless the condition is known before execution: then the reader keeps one branch.
func checkBranchRanks(s *scope, n *graph.Node) {
	then, other := n.Subgraph("then_branch"), n.Subgraph("else_branch")
	if then == nil || other == nil || decided(n.In(0)) {
		return
	}
	for i := range min(len(then.Outputs()), len(other.Outputs())) {
		if a, b := branchRank(then, i), branchRank(other, i); a >= 0 && b >= 0 && a != b {
			s.at(n, "output %d has %d dimensions in one branch and %d in the other", i, a, b)
			return
		}
	}
}

// decided says whether a condition follows from constants and fixed sizes.
func decided(v *graph.Value) bool {
	if v.Const() != nil {
		return true
	}
	c := v.Ints()
	return len(c) == 1 && c[0].Value >= 0
}

// branchRank is the number of dimensions of output i of a branch, by inference or else as declared; -1 when neither tells.
func branchRank(g *graph.Graph, i int) int {
	if r := rank(g.Outputs()[i]); r >= 0 {
		return r
	}
	info := g.OutputInfo(i)
	if info == nil || info.Type == nil || info.Type.Tensor == nil || info.Type.Tensor.Shape == nil {
		return -1
	}
	return len(info.Type.Tensor.Shape.Dim)
}

// eachPair makes a check that looks at both halves of every pair and reports
// the first that is at fault: a pair that breaks a rule breaks it once.
func eachPair(test func(*scope, *graph.Node)) func(*scope) {
	return func(s *scope) {
		bad := map[*graph.Node]bool{}
		eachOp(func(s *scope, n *graph.Node) {
			if n.Op() == "DequantizeLinear" && bad[quantizer(n)] {
				return
			}
			before := len(s.findings)
			test(s, n)
			bad[n] = len(s.findings) > before
		}, qdq...)(s)
	}
}
