package graph

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/onnx"
)

// draw makes a valid model: a chain of random nodes, some with a branch that captures outer values.
func draw(t *rapid.T) *onnx.Model {
	g := &onnx.Graph{Name: "g", Input: []*onnx.ValueInfo{info("x", onnx.Float), info("c", onnx.Bool)}}
	for i := range rapid.IntRange(0, 3).Draw(t, "initializers") {
		g.Initializer = append(g.Initializer, floats(fmt.Sprint("w", i), float32(i)))
	}
	names := []string{"x"}
	for _, w := range g.Initializer {
		names = append(names, w.Name)
	}
	pick := func() string { return rapid.SampledFrom(names).Draw(t, "value") }
	for i := range rapid.IntRange(2, 8).Draw(t, "nodes") {
		out := fmt.Sprint("v", i)
		n := node("Add", fmt.Sprint("n", i), list(pick(), pick()), list(out))
		if rapid.IntRange(0, 3).Draw(t, "branch") == 0 {
			inner := out + "i"
			sub := &onnx.Graph{Name: "s", Node: []*onnx.Node{node("Neg", "", list(pick()), list(inner))}, Output: []*onnx.ValueInfo{info(inner, onnx.Float)}}
			n = node("If", fmt.Sprint("n", i), list("c"), list(out), &onnx.Attribute{Name: "then_branch", Type: onnx.AttrGraph, G: sub})
		}
		g.Node = append(g.Node, n)
		names = append(names, out)
	}
	for _, name := range names[len(names)-2:] {
		g.Output = append(g.Output, info(name, onnx.Float))
	}
	return model(g)
}

// edit changes the graph in one random way that keeps it valid.
func edit(t *rapid.T, g *Graph) {
	var nodes []*Node
	for n := range g.Nodes() {
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return
	}
	n := rapid.SampledFrom(nodes).Draw(t, "node")
	switch rapid.IntRange(0, 5).Draw(t, "edit") {
	case 0: // insert a node behind an output
		k := n.After().By("test").Op("Abs", n.Out(0).Name(), n.Out(0))
		n.Out(0).ReplaceUses(k.Out(0), func(u Use) bool { return u.Node != k })
	case 1: // bypass a node
		if in := n.In(0); n.Op() != "If" && in != nil {
			n.Out(0).ReplaceUses(in, nil)
			n.Remove()
		}
	case 2: // feed an output with another value
		i := rapid.IntRange(0, len(g.slots)-1).Draw(t, "slot")
		g.Return().SetIn(i, n.Out(0))
	case 3: // put an initializer in the place of an input
		n.SetIn(0, g.Init("w", floats("", 7)))
	case 4:
		n.SetName("renamed")
		n.Out(0).Rename("renamed")
	case 5: // another output, as calibration adds them

		g.AddOutput(n.Before().Op("Neg", "neg", g.inputs[0]).Out(0))

	}
}

// links checks that inputs and uses mirror each other.
func links(t *rapid.T, m *Model) {
	for g := range m.Graphs() {
		nodes := 0
		for n := range g.Nodes() {
			nodes++
			for i, v := range n.Ins() {
				found := 0
				if v == nil {
					continue
				}
				for _, u := range v.Uses() {
					if u.Node == n && u.Index == i {
						found++
					}
				}
				if found != 1 || v.Removed() {
					t.Fatalf("input %d of %s is %d times among the uses of %s", i, n.Label(), found, v.Name())
				}
			}
			for _, v := range n.Outs() {
				if v != nil && (g.Value(v.Name()) != v || v.Def() != n || len(v.Uses()) != v.NumUses()) {
					t.Fatalf("output %s of %s", v.Name(), n.Label())
				}
			}
		}
		if nodes != g.NumNodes() {
			t.Fatalf("%d nodes, %d counted", nodes, g.NumNodes())
		}
	}
}

// TestRandomEdits: whatever passes do with the editing methods, links stay
// consistent, the interface keeps its names, what was exported before does not
// change, and the result can be read again.
func TestRandomEdits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		in := draw(t)
		m, err := Import(in)
		if err != nil {
			t.Fatal(err)
		}
		for range rapid.IntRange(1, 10).Draw(t, "edits") {
			before, err := m.Export()
			if err != nil {
				t.Fatal(err)
			}
			text := dump(before)
			copy := m.Clone()
			edit(t, m.Main)
			links(t, m)
			links(t, copy)
			if err := m.Main.Sort(); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(text, dump(before)); d != "" {
				t.Fatalf("an edit changed what was exported: %s", d)
			}
			again, err := copy.Export()
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(text, dump(again)); d != "" {
				t.Fatalf("the copy differs: %s", d)
			}
		}
		out, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		for i, o := range in.Graph.Output {
			if out.Graph.Output[i] != o {
				t.Fatalf("output %d is now %s", i, out.Graph.Output[i].Name)
			}
		}
		read, err := Import(out)
		if err != nil {
			t.Fatal(err)
		}
		if got, err := read.Export(); err != nil || dump(got) != dump(out) {
			t.Fatalf("reading again gives %v\n%s\nwanted\n%s", err, dump(got), dump(out))
		}
	})
}

// dump lists nodes, subgraphs and interface.
func dump(m *onnx.Model) string {
	var s string
	var graph func(g *onnx.Graph)
	graph = func(g *onnx.Graph) {
		for _, n := range g.Node {
			s += fmt.Sprintln(n.Name, n.OpType, n.Input, n.Output, n.MetadataProps)
			for _, a := range n.Attribute {
				if a.G != nil {
					graph(a.G)
				}
			}
		}
		for _, v := range g.Output {
			s += fmt.Sprintln("output", v.Name)
		}
		for _, t := range g.Initializer {
			s += fmt.Sprintln("initializer", t.Name)
		}
	}
	graph(m.Graph)
	return s
}
