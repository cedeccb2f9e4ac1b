package graph

import "github.com/onnxpass/onnxpass/onnx"

// AddInput adds an input of the given type under a free name made from hint, behind the others.
func (g *Graph) AddInput(hint string, t Type) *Value {
	v := &Value{graph: g, typ: t, declared: t, input: true}
	g.name(v, g.family.fresh(hint, "input"))
	v.info = &onnx.ValueInfo{Name: v.name, Type: protoType(t)}
	g.inputs = append(g.inputs, v)
	g.model.edits++
	return v
}
