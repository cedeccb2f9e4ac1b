package graph_test

import (
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/text"
)

// extracted is the part of a model, by names, with the names of its inputs, nodes' outputs and initializers.
func extracted(t *testing.T, src string, from, to []string) (inputs, nodes, inits []string) {
	t.Helper()
	p, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(p)
	if err != nil {
		t.Fatal(err)
	}
	edits := m.Edits()
	values := func(names []string) (out []*graph.Value) {
		for _, n := range names {
			out = append(out, m.Main.Value(n))
		}
		return out
	}
	x := m.Extract(values(from), values(to))
	if m.Edits() != edits {
		t.Error("the model was edited")
	}
	if _, err := x.Export(); err != nil {
		t.Fatal(err)
	}
	if got := len(x.Main.Outputs()); got != len(to) {
		t.Errorf("%d outputs for %v", got, to)
	}
	for _, v := range x.Main.Inputs() {
		inputs = append(inputs, v.Name())
	}
	for n := range x.Main.Nodes() {
		nodes = append(nodes, n.Out(0).Name())
	}
	for _, v := range x.Main.Initializers() {
		inits = append(inits, v.Name())
	}
	return inputs, nodes, inits
}

// An extract holds what lies between the values and nothing else; what a branch captures belongs to it.
func TestExtract(t *testing.T) {
	const src = `<ir_version: 8, opset_import: ["" : 17]> m (float[2] x, bool[1] c) => (float[2] z)
<float[2] w = {1, 2}, float[2] v = {3, 4}> {
  a = Mul (x, w)
  b = Relu (a)
  side = Neg (a)
  d = If (c) <then_branch = t () => (float[2] p) { p = Add (b, v) }, else_branch = e () => (float[2] q) { q = Identity (x) }>
  z = Abs (d)
}`
	for _, c := range []struct{ from, to, inputs, nodes, inits []string }{
		{[]string{"x"}, []string{"b"}, []string{"x"}, []string{"a", "b"}, []string{"w"}},
		{[]string{"b"}, []string{"d"}, []string{"b", "x", "c"}, []string{"d"}, []string{"v"}},
		{[]string{"a", "b"}, []string{"d"}, []string{"b", "x", "c"}, []string{"d"}, []string{"v"}}, // a is not needed
		{[]string{"a"}, []string{"a", "side"}, []string{"a"}, []string{"side"}, nil},
		{nil, []string{"z"}, []string{"x", "c"}, []string{"a", "b", "d", "z"}, []string{"w", "v"}},
	} {
		inputs, nodes, inits := extracted(t, src, c.from, c.to)
		if !slices.Equal(inputs, c.inputs) || !slices.Equal(nodes, c.nodes) || !slices.Equal(inits, c.inits) {
			t.Errorf("%v to %v: inputs %v, nodes %v, initializers %v", c.from, c.to, inputs, nodes, inits)
		}
	}
}
