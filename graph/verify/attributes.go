package verify

import (
	"fmt"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// attributes checks what holds for the attributes of any operator.
func (c *checker) attributes(n *graph.Node) {
	attrs := n.Attrs()
	for i, a := range attrs {
		if a.Name == "" {
			c.addNode(n, "OP3122", "an attribute has no name")
		}
		for _, b := range attrs[:i] {
			if a.Name == b.Name {
				c.addNode(n, "OP3122", "an attribute occurs twice", "attribute", a.Name)
			}
		}
		if a.RefAttrName != "" {
			if n.Graph().Function() == nil {
				c.addNode(n, "OP3122", "an attribute refers to a function's attribute outside any function", "attribute", a.Name)
			}
			continue
		}
		c.attribute(n, a)
	}
}

// attribute checks that the value field of the attribute's type is the only one that is set.
func (c *checker) attribute(n *graph.Node, a *onnx.Attribute) {
	subgraphs := n.Subgraph(a.Name) != nil
	set := []struct {
		kind onnx.AttributeType
		is   bool
	}{
		{onnx.AttrFloat, a.F != 0}, {onnx.AttrInt, a.I != 0}, {onnx.AttrString, len(a.S) > 0}, {onnx.AttrTensor, a.T != nil},
		{onnx.AttrSparseTensor, a.SparseTensor != nil}, {onnx.AttrTypeProto, a.TypeProto != nil},
		{onnx.AttrFloats, len(a.Floats) > 0}, {onnx.AttrInts, len(a.Ints) > 0}, {onnx.AttrStrings, len(a.Strings) > 0},
		{onnx.AttrTensors, len(a.Tensors) > 0}, {onnx.AttrSparseTensors, len(a.SparseTensors) > 0}, {onnx.AttrTypeProtos, len(a.TypeProtos) > 0},
	}
	own := false
	for _, s := range set {
		own = own || s.is && s.kind == a.Type
		if s.is && s.kind != a.Type {
			c.addNode(n, "OP3122", "an attribute holds a value of another type than it states", "attribute", a.Name)
			return
		}
	}
	isGraph := a.Type == onnx.AttrGraph || a.Type == onnx.AttrGraphs
	switch {
	case a.Type == onnx.AttrUndefined:
		c.addNode(n, "OP3122", "an attribute has no type", "attribute", a.Name)
	case a.Type < 0 || a.Type > onnx.AttrTypeProtos:
		c.addNode(n, "OP3122", "an attribute has an unknown type", "attribute", a.Name, "found", fmt.Sprint(a.Type))
	case subgraphs != isGraph && (subgraphs || a.Type == onnx.AttrGraph):
		c.addNode(n, "OP3122", "an attribute states a graph and holds none, or the other way round", "attribute", a.Name)
	case !own && (a.Type == onnx.AttrTensor || a.Type == onnx.AttrSparseTensor || a.Type == onnx.AttrTypeProto):
		c.addNode(n, "OP3122", "an attribute holds no value", "attribute", a.Name)
	}
}
