package cleanup

import (
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/passes/weights/palette"
)

// coded are the nodes that compute weights from codes and tables smaller than
// the weights. The value says whether a node's output is the weight itself.
// Folding a part of them would only write the tables out.
func coded(m *graph.Model) map[*graph.Node]bool {
	nodes := map[*graph.Node]bool{}
	for _, s := range palette.Find(m) {
		if size, ok := bytesOf(s.Value); ok && s.Bytes < size {
			gather(nodes, s.Node)
			nodes[s.Node] = true
		}
	}
	return nodes
}

// gather adds what a node is computed from.
func gather(nodes map[*graph.Node]bool, n *graph.Node) {
	for _, v := range n.Ins() {
		if v == nil || v.Def() == nil {
			continue
		}
		if _, seen := nodes[v.Def()]; !seen {
			nodes[v.Def()] = false
			gather(nodes, v.Def())
		}
	}
}
