package cleanup

import (
	"context"
	"fmt"
	"strings"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
)

// Common computes equal expressions once.
var Common = passes.New(passes.Info{
	Name:    "common",
	Summary: "compute equal expressions once",
	Doc: `Common subexpression elimination: of nodes in one graph with the same operator, attributes and inputs, the first
stays and the others go. Random operators, nodes with subgraphs or tensor attributes, QuantizeLinear and DequantizeLinear
(runtimes match them by layer) and operators of unknown domains stay.`,
	Phase: passes.Cleanup,
}, struct{}{}, common)

func common(_ context.Context, env *passes.Env, _ struct{}) error {
	merged := 0
	for _, g := range scopes(env.Model) {
		seen := map[string]*graph.Node{}
		ids := map[*graph.Value]int{}
		for n := range g.Nodes() {
			key := expression(n, ids)
			if key == "" {
				continue
			}
			first := seen[key]
			if first == nil {
				seen[key] = n
				continue
			}
			if replaceable(n, first) {
				for i, v := range n.Outs() {
					if v != nil {
						v.ReplaceUses(first.Out(i), nil)
					}
				}
				n.Remove()
				merged++
			}
		}
	}
	count(env, "equal expressions merged", merged)
	return nil
}

// replaceable reports whether every output of n has a counterpart, and no graph output would lose its name.
func replaceable(n, first *graph.Node) bool {
	for i, v := range n.Outs() {
		if v == nil {
			continue
		}
		w := first.Out(i)
		if w == nil || v.IsOutput() && w.IsOutput() {
			return false
		}
	}
	return true
}

// expression is a text that two nodes share exactly when they compute the same; empty when a node takes no part.
func expression(n *graph.Node, ids map[*graph.Value]int) string {
	if n.NumIn() == 0 || n.Domain() != "" || len(n.Subgraphs()) > 0 || random(n) ||
		n.Is("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear") {
		return ""
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s/%s/%d", n.Op(), n.Proto().Overload, n.NumOut())
	for _, v := range n.Ins() {
		fmt.Fprintf(&b, ",%d", identity(v, ids))
	}
	for _, a := range sortedAttrs(n) {
		if a.T != nil || a.SparseTensor != nil || a.TypeProto != nil || len(a.Tensors)+len(a.SparseTensors)+len(a.TypeProtos) > 0 || a.RefAttrName != "" {
			return ""
		}
		fmt.Fprintf(&b, ";%q=%d:%b,%d,%q,%b,%d,%q", a.Name, a.Type, a.F, a.I, a.S, a.Floats, a.Ints, a.Strings)
	}
	return b.String()
}

func identity(v *graph.Value, ids map[*graph.Value]int) int {
	if v == nil {
		return 0
	}
	if ids[v] == 0 {
		ids[v] = len(ids) + 1
	}
	return ids[v]
}

// sortedAttrs orders attributes by name; their order has no meaning.
func sortedAttrs(n *graph.Node) []*onnx.Attribute {
	out := append([]*onnx.Attribute(nil), n.Attrs()...)
	for i := 1; i < len(out); i++ {
		for j := i; j > 0 && out[j].Name < out[j-1].Name; j-- {
			out[j], out[j-1] = out[j-1], out[j]
		}
	}
	return out
}
