package graph

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/onnxpass/onnxpass/onnx"
)

func info(name string, elem onnx.DataType, dims ...int64) *onnx.ValueInfo {
	s := &onnx.Shape{}
	for _, d := range dims {
		s.Dim = append(s.Dim, onnx.Dim{Kind: onnx.DimValue, Value: d})
	}
	return &onnx.ValueInfo{Name: name, Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: elem, Shape: s}}}
}

func node(op, name string, in, out []string, attrs ...*onnx.Attribute) *onnx.Node {
	return &onnx.Node{OpType: op, Name: name, Input: in, Output: out, Attribute: attrs}
}

func list(s ...string) []string { return s }

func floats(name string, v ...float32) *onnx.Tensor {
	t := onnx.From([]int64{int64(len(v))}, v)
	t.Name = name
	return t
}

func model(g *onnx.Graph) *onnx.Model {
	return &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 17}}, Graph: g}
}

// branchy is x -> Relu -> If(captures r, w) -> y, with everything that must survive.
func branchy() *onnx.Model {
	then := &onnx.Graph{Name: "then",
		Node:   []*onnx.Node{node("Add", "add", list("r", "w"), list("t_out"))},
		Output: []*onnx.ValueInfo{info("t_out", onnx.Float, 2)}}
	other := &onnx.Graph{Name: "else",
		Node:        []*onnx.Node{node("Mul", "mul", list("r", "k"), list("e_out"))},
		Initializer: []*onnx.Tensor{floats("k", 3)},
		Output:      []*onnx.ValueInfo{info("e_out", onnx.Float, 2)}}
	g := &onnx.Graph{
		Name: "main",
		Node: []*onnx.Node{
			node("Relu", "relu", list("x"), list("r")),
			node("If", "if", list("cond"), list("y"),
				&onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, G: then},
				&onnx.Attribute{Name: "else_branch", Type: onnx.AttrGraph, G: other}),
			node("Clip", "clip", list("y", "", "w"), list("z", "")),
		},
		Initializer:            []*onnx.Tensor{floats("w", 1, 2), floats("unused", 9)},
		Input:                  []*onnx.ValueInfo{info("x", onnx.Float, 2), info("cond", onnx.Bool), info("w", onnx.Float, 2)},
		Output:                 []*onnx.ValueInfo{info("z", onnx.Float, 2), info("r", onnx.Float, 2)},
		ValueInfo:              []*onnx.ValueInfo{info("y", onnx.Float, 2), info("ghost", onnx.Float, 1)},
		QuantizationAnnotation: []*onnx.TensorAnnotation{{TensorName: "r", QuantParameterTensorName: []onnx.Entry{{Key: "SCALE_TENSOR", Value: "w"}}}},
	}
	return model(g)
}

func mustImport(t testing.TB, m *onnx.Model) *Model {
	t.Helper()
	g, err := Import(m)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func mustExport(t testing.TB, m *Model) *onnx.Model {
	t.Helper()
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func find(t testing.TB, m *Model, name string) *Node {
	t.Helper()
	for n := range m.All() {
		if n.Name() == name {
			return n
		}
	}
	t.Fatalf("no node %s", name)
	return nil
}

func sameMessages(t *testing.T, a, b *onnx.Graph) {
	t.Helper()
	if !slices.Equal(a.Initializer, b.Initializer) || !slices.Equal(a.Input, b.Input) || !slices.Equal(a.Output, b.Output) ||
		!slices.Equal(a.ValueInfo, b.ValueInfo) || !slices.Equal(a.QuantizationAnnotation, b.QuantizationAnnotation) {
		t.Errorf("graph %s: messages were replaced", a.Name)
	}
	for i, n := range a.Node {
		if len(n.Attribute) == 0 && n != b.Node[i] {
			t.Errorf("node %s was replaced", n.Name)
		}
		for j, at := range n.Attribute {
			if at.G != nil {
				sameMessages(t, at.G, b.Node[i].Attribute[j].G)
			}
		}
	}
}

func TestUntouchedModelIsTheSameMessages(t *testing.T) {
	in := branchy()
	m := mustImport(t, in)
	for _, copy := range []*Model{m, m.Clone(), m.Clone().Clone()} {
		sameMessages(t, in.Graph, mustExport(t, copy).Graph)
	}
	if m.Edits() != 0 {
		t.Errorf("import counted %d edits", m.Edits())
	}
}

func TestLinksReachIntoSubgraphs(t *testing.T) {
	m := mustImport(t, branchy())
	w := m.Main.Value("w")
	if !w.IsInit() || !w.IsInput() || w.Const() == nil {
		t.Error("w is an initializer that is listed as an input")
	}
	var uses []string
	for _, u := range w.Uses() {
		uses = append(uses, fmt.Sprint(u.Node.Name(), u.Index))
	}
	if got := strings.Join(uses, " "); got != "add1 clip2" {
		t.Errorf("uses of w: %s", got)
	}
	add := find(t, m, "add")
	if add.Graph().Owner() != find(t, m, "if") || add.In(0) != m.Main.Value("r") || add.Graph().Value("x") != m.Main.Inputs()[0] {
		t.Error("the branch does not point at outer values")
	}
}

func TestRemoveIfReleasesCaptures(t *testing.T) {
	m := mustImport(t, branchy())
	y := m.Main.Value("y")
	y.ReplaceUses(m.Main.Value("r"), nil)
	find(t, m, "if").Remove()
	if n := m.Main.Value("w").NumUses(); n != 1 {
		t.Errorf("w has %d uses, want 1", n)
	}
	out := mustExport(t, m)
	if len(out.Graph.ValueInfo) != 1 || out.Graph.ValueInfo[0].Name != "ghost" {
		t.Error("value_info of a removed value was kept")
	}
	if m.Main.Value("y") != nil || m.Main.Value("t_out") != nil {
		t.Error("names of removed values are still taken")
	}
}

func TestOutputsKeepTheirNames(t *testing.T) {
	chain := func() *Model {
		return mustImport(t, model(&onnx.Graph{Name: "g",
			Node: []*onnx.Node{
				node("Relu", "a", list("x"), list("va")),
				node("Identity", "b", list("va"), list("vb")),
				node("Neg", "c", list("vb"), list("vc")),
			},
			Input:  []*onnx.ValueInfo{info("x", onnx.Float, 2)},
			Output: []*onnx.ValueInfo{info("vb", onnx.Float, 2), info("vc", onnx.Float, 2)},
		}))
	}
	cases := []struct {
		name string
		edit func(m *Model)
		want string
	}{
		{"renamed", func(m *Model) {
			b := find(t, m, "b")
			b.Out(0).ReplaceUses(b.In(0), nil)
			b.Remove()
		}, "Relu(x)=vb Neg(vb)=vc"},
		{"displaced", func(m *Model) {
			m.Main.Return().SetIn(0, m.Main.Value("va"))
		}, "Relu(x)=vb Identity(vb)=vb_1 Neg(vb_1)=vc"},
		{"swapped", func(m *Model) {
			vb, vc := m.Main.Value("vb"), m.Main.Value("vc")
			m.Main.Return().SetIn(0, vc)
			m.Main.Return().SetIn(1, vb)
		}, "Relu(x)=va Identity(va)=vc Neg(vc)=vb"},
		{"twice", func(m *Model) {
			m.Main.Return().SetIn(0, m.Main.Value("vc"))
		}, "Relu(x)=va Identity(va)=vb_1 Neg(vb_1)=vc Identity(vc)=vb"},
		{"input", func(m *Model) {
			m.Main.Return().SetIn(1, m.Main.Value("x"))
		}, "Relu(x)=va Identity(va)=vb Neg(vb)=vc_1 Identity(x)=vc"},
	}
	for _, c := range cases {
		m := chain()
		c.edit(m)
		g := mustExport(t, m).Graph
		if got := listing(g); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
		if g.Output[0].Name != "vb" || g.Output[1].Name != "vc" {
			t.Errorf("%s: outputs changed", c.name)
		}
		if _, err := Import(model(g)); err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func listing(g *onnx.Graph) string {
	var out []string
	for _, n := range g.Node {
		out = append(out, fmt.Sprintf("%s(%s)=%s", n.OpType, strings.Join(n.Input, ","), strings.Join(n.Output, ",")))
	}
	return strings.Join(out, " ")
}

func TestOutputNameOwnedByInput(t *testing.T) {
	m := mustImport(t, model(&onnx.Graph{Name: "g",
		Node:  []*onnx.Node{node("Relu", "a", list("x"), list("y"))},
		Input: []*onnx.ValueInfo{info("x", onnx.Float)}, Output: []*onnx.ValueInfo{info("x", onnx.Float)}}))
	m.Main.Return().SetIn(0, m.Main.Value("y"))
	if _, err := m.Export(); err == nil || !strings.Contains(err.Error(), "output x") {
		t.Errorf("error %v", err)
	}
}

// The Identity that gives a body's input the name of an output reads the name
// that the input has in the end: another output takes its first one.
func TestIdentityReadsFinalName(t *testing.T) {
	body := &onnx.Graph{Name: "body",
		Input:  []*onnx.ValueInfo{info("i", onnx.Float, 2)},
		Node:   []*onnx.Node{node("Relu", "relu", list("i"), list("r"))},
		Output: []*onnx.ValueInfo{info("r", onnx.Float, 2), info("i", onnx.Float, 2)}}
	m := mustImport(t, model(&onnx.Graph{Name: "g",
		Node:   []*onnx.Node{node("Loop", "loop", list("", "", "x"), list("y", "z"), &onnx.Attribute{Name: "body", Type: onnx.AttrGraph, G: body})},
		Input:  []*onnx.ValueInfo{info("x", onnx.Float, 2)},
		Output: []*onnx.ValueInfo{info("y", onnx.Float, 2), info("z", onnx.Float, 2)}}))
	inner := find(t, m, "loop").Subgraph("body")
	r, i := inner.Return().In(0), inner.Return().In(1)
	inner.Return().SetIn(0, i)
	inner.Return().SetIn(1, r)
	out := mustExport(t, m).Graph.Node[0].Attribute[0].G
	relu, id := out.Node[0], out.Node[1]
	if id.Input[0] != out.Input[0].Name || id.Output[0] != "r" || relu.Output[0] != "i" || relu.Input[0] != out.Input[0].Name {
		t.Errorf("input %s, Relu %v -> %v, Identity %v -> %v", out.Input[0].Name, relu.Input, relu.Output, id.Input, id.Output)
	}
}

func TestHidingNamesAreMovedAside(t *testing.T) {
	then := &onnx.Graph{Name: "then",
		Node:   []*onnx.Node{node("Relu", "in", list("x"), list("r"))}, // hides the outer r
		Output: []*onnx.ValueInfo{info("r", onnx.Float)}}
	m := mustImport(t, model(&onnx.Graph{Name: "g",
		Node: []*onnx.Node{node("Neg", "neg", list("x"), list("r")),
			node("If", "if", list("c"), list("y"), &onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, G: then})},
		Input:  []*onnx.ValueInfo{info("x", onnx.Float), info("c", onnx.Bool)},
		Output: []*onnx.ValueInfo{info("y", onnx.Float)}}))
	find(t, m, "in").SetIn(0, m.Main.Value("r"))
	g := mustExport(t, m).Graph
	sub := g.Node[1].Attribute[0].G
	if listing(sub) != "Relu(r)=r_1" || sub.Output[0].Name != "r_1" {
		t.Errorf("branch is %s with output %s", listing(sub), sub.Output[0].Name)
	}
}

func TestCursorOrderAndNames(t *testing.T) {
	m := mustImport(t, branchy())
	clip := find(t, m, "clip")
	before := clip.Before().By("quant")
	a := before.Op("Abs", "y", clip.In(0))
	b := before.Op("Neg", "y", a.Out(0))
	after := find(t, m, "relu").After()
	c := after.Op("Exp", "", m.Main.Value("r"))
	d := after.Op("Log", "", c.Out(0))
	clip.SetIn(0, b.Out(0))
	var names []string
	for n := range m.Main.Nodes() {
		names = append(names, n.Op())
	}
	if got := strings.Join(names, " "); got != "Relu Exp Log If Abs Neg Clip" {
		t.Errorf("order %s", got)
	}
	if a.Out(0).Name() != "y_1" || b.Out(0).Name() != "y_2" || a.Name() != "y" || b.Name() != "y_1" || a.Meta(PassKey) != "quant" {
		t.Errorf("names %s %s %s %s", a.Out(0).Name(), b.Out(0).Name(), a.Name(), b.Name())
	}
	if d.Out(0).Name() == c.Out(0).Name() || d.Prev() != c || m.Edits() == 0 {
		t.Error("cursor")
	}
}

func TestIterationSurvivesEdits(t *testing.T) {
	m := mustImport(t, branchy())
	var seen []string
	for n := range m.Main.Nodes() {
		seen = append(seen, n.Op())
		switch n.Op() {
		case "Relu":
			n.Before().Op("Abs", "before", n.In(0))
			n.After().Op("Neg", "after", n.Out(0))
		case "Neg":
			x := n.Next()
			x.Out(0).ReplaceUses(n.In(0), nil)
			n.Remove()
			x.Remove()
		}
	}
	if got := strings.Join(seen, " "); got != "Relu Neg Clip" {
		t.Errorf("visited %s", got)
	}
}

func TestSortAcceptsAnyAcyclicOrder(t *testing.T) {
	in := branchy()
	slices.Reverse(in.Graph.Node)
	g := mustExport(t, mustImport(t, in)).Graph
	if got := listing(g); got != "Relu(x)=r If(cond)=y Clip(y,,w)=z," {
		t.Error(got)
	}
}

func TestHostileGraphs(t *testing.T) {
	deep := &onnx.Graph{Name: "leaf"}
	for range 200 {
		deep = &onnx.Graph{Node: []*onnx.Node{node("If", "deep", nil, nil, &onnx.Attribute{Name: "then_branch", G: deep})}}
	}
	cases := map[string]*onnx.Graph{
		"OP3101 no graph":       nil,
		"OP3101 empty node":     {Node: []*onnx.Node{nil}},
		"OP3102 output twice":   {Node: []*onnx.Node{node("A", "", nil, list("a")), node("B", "", nil, list("a"))}},
		"OP3102 input twice":    {Input: []*onnx.ValueInfo{info("a", 1), info("a", 1)}},
		"OP3102 initializers":   {Initializer: []*onnx.Tensor{floats("a"), floats("a")}},
		"OP3103 undefined":      {Node: []*onnx.Node{node("A", "", list("nowhere"), list("a"))}},
		"OP3103 output":         {Output: []*onnx.ValueInfo{info("nowhere", 1)}},
		"OP3104 self":           {Node: []*onnx.Node{node("A", "me", list("a"), list("a"))}},
		"OP3104 cycle":          {Node: []*onnx.Node{node("A", "", list("b"), list("a")), node("B", "", list("a"), list("b"))}},
		"OP3105 deep":           deep,
		"OP3106 unnamed":        {Initializer: []*onnx.Tensor{floats("")}},
		"OP3103 inner reads in": {Node: []*onnx.Node{node("If", "if", nil, list("y"), &onnx.Attribute{Name: "b", G: &onnx.Graph{Output: []*onnx.ValueInfo{info("zz", 1)}}})}},
		"OP3104 through body":   {Node: []*onnx.Node{node("If", "if", nil, list("y"), &onnx.Attribute{Name: "b", G: &onnx.Graph{Output: []*onnx.ValueInfo{info("y", 1)}}})}},
	}
	for name, g := range cases {
		_, err := Import(model(g))
		if err == nil || code(err) != name[:6] {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestConstInEveryForm(t *testing.T) {
	forms := []*onnx.Attribute{
		{Name: "value", Type: onnx.AttrTensor, T: floats("", 1, 2)},
		{Name: "value_float", Type: onnx.AttrFloat, F: 1},
		{Name: "value_floats", Type: onnx.AttrFloats, Floats: []float32{1, 2}},
		{Name: "value_int", Type: onnx.AttrInt, I: 7},
		{Name: "value_ints", Type: onnx.AttrInts, Ints: []int64{7, 8}},
		{Name: "value_string", Type: onnx.AttrString, S: []byte("s")},
		{Name: "value_strings", Type: onnx.AttrStrings, Strings: [][]byte{[]byte("s")}},
		{Name: "sparse_value", Type: onnx.AttrSparseTensor, SparseTensor: &onnx.SparseTensor{}},
	}
	want := []string{"float32 [2]", "float32 []", "float32 [2]", "int64 []", "int64 [2]", "string []", "string [1]", ""}
	for i, a := range forms {
		m := mustImport(t, model(&onnx.Graph{Node: []*onnx.Node{node("Constant", "c", nil, list("c"), a)}}))
		got := ""
		if c := m.Main.Value("c").Const(); c != nil {
			got = fmt.Sprint(c.Type, c.Dims)
			if c.Type == onnx.Int64 && m.Main.Value("c").Ints()[0].Value != 7 {
				t.Errorf("%s: content", a.Name)
			}
		}
		if got != want[i] {
			t.Errorf("%s: %q, want %q", a.Name, got, want[i])
		}
	}
}

func TestRemoveOfUsedNodePanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("no panic")
		}
	}()
	find(t, mustImport(t, branchy()), "relu").Remove()
}

func big(n int) *onnx.Model {
	g := &onnx.Graph{Name: "big", Input: []*onnx.ValueInfo{info("v0", onnx.Float, 4)}, Initializer: []*onnx.Tensor{floats("one", 1)}}
	for i := range n {
		g.Node = append(g.Node, node("Add", fmt.Sprint("n", i), list(fmt.Sprint("v", i), "one"), list(fmt.Sprint("v", i+1))))
		g.ValueInfo = append(g.ValueInfo, info(fmt.Sprint("v", i+1), onnx.Float, 4))
	}
	g.Output = []*onnx.ValueInfo{info(fmt.Sprint("v", n), onnx.Float, 4)}
	return model(g)
}

// TestHundredThousandNodes compares two sizes, so that a slow or busy machine
// does not fail it: ten times the nodes may cost thirty times the time, a
// quadratic method would cost a hundred times. Three attempts must agree.
func TestHundredThousandNodes(t *testing.T) {
	for attempt := 1; ; attempt++ {
		small, large := timed(t, 10_000), timed(t, 100_000)
		t.Log(small, large)
		if large < 30*small || large < time.Second {
			return
		}
		if attempt == 3 {
			t.Fatalf("10,000 nodes took %v, 100,000 nodes %v", small, large)
		}
	}
}

// timed imports n nodes, inserts and removes as many again, sorts, copies and exports.
func timed(t *testing.T, n int) time.Duration {
	in := big(n)
	start := time.Now()
	m := mustImport(t, in)
	for n := range m.Main.Nodes() {
		if n.Is("Identity") {
			continue // inserted behind the current node, hence visited
		}
		id := n.After().Op("Identity", "copy", n.Out(0))
		n.Out(0).ReplaceUses(id.Out(0), func(u Use) bool { return u.Node != id })
	}
	for n := range m.Main.Nodes() {
		if n.Is("Identity") {
			n.Out(0).ReplaceUses(n.In(0), nil)
			n.Remove()
		}
	}
	if err := m.Main.Sort(); err != nil {
		t.Fatal(err)
	}
	out := mustExport(t, m.Clone())
	if len(out.Graph.Node) != n || out.Graph.Node[n-1] != in.Graph.Node[n-1] {
		t.Error("edits that cancel out changed the model")
	}
	return time.Since(start)
}
