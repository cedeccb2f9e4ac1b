package verify

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
)

// bodies checks that the subgraphs of If, Loop and Scan take and give as many
// values as the node feeds and returns.
func (c *checker) bodies(n *graph.Node) {
	if n.Domain() != "" {
		return
	}
	switch n.Op() {
	case "If":
		for _, attr := range []string{"then_branch", "else_branch"} {
			c.body(n, attr, 0, n.NumOut())
		}
	case "Loop": // iteration, condition and the carried values; condition and the results
		c.body(n, "body", max(n.NumIn(), 2), n.NumOut()+1)
	case "Scan":
		if n.Version() >= 9 { // before, the first input is the lengths of the sequences
			c.body(n, "body", n.NumIn(), n.NumOut())
		}
	}
}

// body compares a subgraph with the counts that its node needs. Trailing
// results may be left out by the node, so outs is a least number.
func (c *checker) body(n *graph.Node, attr string, ins, outs int) {
	g := n.Subgraph(attr)
	if g == nil {
		return // a missing attribute is another rule
	}
	if found := len(g.Inputs()); found != ins {
		c.addNode(n, "OP3130", "a subgraph takes another number of inputs than its node gives", "attribute", attr,
			"wanted", fmt.Sprint(ins), "found", fmt.Sprint(found))
	}
	if found := len(g.Outputs()); found < outs {
		c.addNode(n, "OP3130", "a subgraph gives fewer outputs than its node returns", "attribute", attr,
			"wanted", fmt.Sprint(outs), "found", fmt.Sprint(found))
	}
}
