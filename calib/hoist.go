package calib

import (
	"slices"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
)

// reachable is the value called name inside branches of If, nested or not: nil
// when there is none, several have the name, it lies in a body of another
// operator or in a function, or its element type is not known.
func reachable(m *graph.Model, name string) *graph.Value {
	var found *graph.Value
	for g := range m.Graphs() {
		v := g.Local(name)
		if v == nil {
			continue
		}
		if found != nil || v.Elem() == onnx.Undefined || v.Elem() == onnx.String || v.Type().Other != nil || !inBranch(m, g) {
			return nil
		}
		found = v
	}
	return found
}

// inBranch says whether only If nodes lie between the main graph and g.
func inBranch(m *graph.Model, g *graph.Graph) bool {
	for g != m.Main {
		if g.Owner() == nil || !g.Owner().Is("If") {
			return false
		}
		g = g.Owner().Graph()
	}
	return true
}

// hoist makes a value inside branches of If a value of the main graph: an
// additional output of each If around it. In samples that take the other branch
// it is a tensor of no elements.
func hoist(v *graph.Value) *graph.Value {
	for v.Graph().Owner() != nil {
		n, typ := v.Graph().Owner(), graph.Type{Elem: v.Elem()}
		for _, g := range n.Subgraphs() {
			if g == v.Graph() {
				// An Identity, because v may be an output already or belong to an outer If.
				g.AddOutput(g.End().Op("Identity", v.Name()+"_seen", v).Out(0))
				continue
			}
			none := g.Init(v.Name()+"_unreached", &onnx.Tensor{Type: v.Elem(), Dims: []int64{0}, Data: onnx.RawBytes(nil)})
			g.AddOutput(g.End().Op("Identity", v.Name()+"_unseen", none).Out(0))
		}
		for _, g := range n.Subgraphs() {
			g.SetOutputType(len(g.Outputs())-1, typ)
		}
		out := n.AddOut(v.Name() + "_hoisted")
		out.SetType(typ)
		v = out
	}
	return v
}

// unreached says whether one of the arrays is what an If gives for a branch that it did not take.
func (t tap) unreached(arrays []Array) bool {
	return slices.ContainsFunc(t.hoisted, func(i int) bool { return arrays[i].Len() == 0 })
}
