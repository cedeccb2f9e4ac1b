package weights

import (
	"github.com/onnxpass/onnxpass/graph"
)

// Substitute puts the rounded weight, as plain floats, and the shifted biases
// into a copy of the item's model, or into a part of one: this computes what
// the stored form does. Layers that the part does not have are passed over.
func (it *Item) Substitute(m *graph.Model) {
	if it.Stored == nil {
		return
	}
	for i, s := range it.Shifts {
		n := it.Readers[i].Node
		if n.Graph().Owner() != nil || n.Out(0) == nil {
			continue
		}
		v := m.Main.Local(n.Out(0).Name())
		if v == nil || v.Def() == nil {
			continue
		}
		if _, ok := addend(v.Def()); ok || !v.Def().Is("MatMul") {
			s.apply(v.Def())
		}
	}
	for g := range m.Graphs() {
		v := g.Local(it.Value.Name())
		switch {
		case v == nil || v.Const() != it.Const:
		case v.IsInit():
			v.SetInit(it.Stored)
		default:
			v.ReplaceUses(g.Init(v.Name(), it.Stored), nil)
			Remove(v)
		}
	}
}
