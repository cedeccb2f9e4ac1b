package graph

import (
	"slices"

	"github.com/onnxpass/onnxpass/onnx"
)

// Attrs are the attributes in order. Read only. Graph attributes carry no onnx.Graph: see Subgraph.
func (n *Node) Attrs() []*onnx.Attribute { return n.proto.Attribute }

// Attr is the attribute of that name, nil when absent. Read only.
func (n *Node) Attr(name string) *onnx.Attribute {
	for _, a := range n.proto.Attribute {
		if a.Name == name {
			return a
		}
	}
	return nil
}

// attr is the attribute when it holds a value of type t: not a reference to a function's attribute.
func (n *Node) attr(name string, t onnx.AttributeType) *onnx.Attribute {
	a := n.Attr(name)
	if a == nil || a.RefAttrName != "" || a.Type != t && a.Type != onnx.AttrUndefined {
		return nil
	}
	return a
}

// Int is an int attribute, def when absent.
func (n *Node) Int(name string, def int64) int64 {
	if a := n.attr(name, onnx.AttrInt); a != nil {
		return a.I
	}
	return def
}

// Ints is an ints attribute, def when absent. Read only.
func (n *Node) Ints(name string, def []int64) []int64 {
	if a := n.attr(name, onnx.AttrInts); a != nil {
		return a.Ints
	}
	return def
}

// Float is a float attribute, def when absent.
func (n *Node) Float(name string, def float32) float32 {
	if a := n.attr(name, onnx.AttrFloat); a != nil {
		return a.F
	}
	return def
}

// Floats is a floats attribute, def when absent. Read only.
func (n *Node) Floats(name string, def []float32) []float32 {
	if a := n.attr(name, onnx.AttrFloats); a != nil {
		return a.Floats
	}
	return def
}

// String is a string attribute, def when absent.
func (n *Node) String(name, def string) string {
	if a := n.attr(name, onnx.AttrString); a != nil {
		return string(a.S)
	}
	return def
}

// Tensor is a tensor attribute, nil when absent. Read only.
func (n *Node) Tensor(name string) *onnx.Tensor {
	if a := n.attr(name, onnx.AttrTensor); a != nil {
		return a.T
	}
	return nil
}

// SetInt sets an int attribute.
func (n *Node) SetInt(name string, v int64) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrInt, I: v})
}

// SetInts sets an ints attribute.
func (n *Node) SetInts(name string, v []int64) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrInts, Ints: slices.Clone(v)})
}

// SetFloat sets a float attribute.
func (n *Node) SetFloat(name string, v float32) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrFloat, F: v})
}

// SetFloats sets a floats attribute.
func (n *Node) SetFloats(name string, v []float32) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrFloats, Floats: slices.Clone(v)})
}

// SetString sets a string attribute.
func (n *Node) SetString(name, v string) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrString, S: []byte(v)})
}

// SetTensor sets a tensor attribute.
func (n *Node) SetTensor(name string, t *onnx.Tensor) {
	n.SetAttr(&onnx.Attribute{Name: name, Type: onnx.AttrTensor, T: t})
}

// SetAttr replaces the attribute of the same name, or appends a. It panics
// for graph attributes, which only Import makes.
func (n *Node) SetAttr(a *onnx.Attribute) {
	if a.G != nil || len(a.Graphs) > 0 {
		panic("graph: SetAttr of a graph attribute")
	}
	n.dropSubs(a.Name)
	p := *n.proto
	p.Attribute = slices.Clone(p.Attribute)
	if i := slices.IndexFunc(p.Attribute, func(b *onnx.Attribute) bool { return b.Name == a.Name }); i >= 0 {
		p.Attribute[i] = a
	} else {
		p.Attribute = append(p.Attribute, a)
	}
	n.replace(&p)
}

// DropAttr removes the attribute when it is there.
func (n *Node) DropAttr(name string) {
	i := slices.IndexFunc(n.proto.Attribute, func(a *onnx.Attribute) bool { return a.Name == name })
	if i < 0 {
		return
	}
	n.dropSubs(name)
	p := *n.proto
	p.Attribute = slices.Delete(slices.Clone(p.Attribute), i, i+1)
	n.replace(&p)
}

func (n *Node) dropSubs(attr string) {
	kept := n.subs[:0:0]
	for _, s := range n.subs {
		if s.attr == attr {
			s.graph.detach()
		} else {
			kept = append(kept, s)
		}
	}
	n.subs = kept
}

// Subgraph is the graph attribute of that name, nil when absent.
func (n *Node) Subgraph(attr string) *Graph {
	for _, s := range n.subs {
		if s.attr == attr {
			return s.graph
		}
	}
	return nil
}

// Subgraphs are all graph attributes in order.
func (n *Node) Subgraphs() []*Graph {
	var out []*Graph
	for _, s := range n.subs {
		out = append(out, s.graph)
	}
	return out
}
