package graph

import "github.com/onnxpass/onnxpass/onnx"

// Correct declares anew, as Infer computed it, every shape that the file
// declares and the operators contradict, and returns the values in order.
// Runtimes ignore such declarations, which edits of input sizes leave behind.
// Element types that contradict each other are no slip: they stay.
func (m *Model) Correct() []*Value {
	var out []*Value
	wrong := map[*Value]bool{}
	for n := range m.Main.All() {
		for _, v := range n.outs {
			if v != nil && v.misdeclared() {
				v.SetType(v.typ)
				out = append(out, v)
				wrong[v] = true
			}
		}
	}
	if len(out) == 0 {
		return nil
	}
	m.Main.walkGraphs(func(g *Graph) bool {
		for i := range g.slots {
			if v := g.ret.In(i); wrong[v] {
				g.SetOutputType(i, v.typ)
			}
		}
		return true
	})
	return out
}

// misdeclared reports whether the declared shape, and nothing else, contradicts the known type.
func (v *Value) misdeclared() bool {
	if v.declared.Other != nil || v.typ.Other != nil || v.declared.Elem != v.typ.Elem && v.declared.Elem != onnx.Undefined {
		return false
	}
	_, ok := refine(v.typ, v.declared)
	return !ok
}
