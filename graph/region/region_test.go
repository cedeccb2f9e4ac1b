package region_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/region"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

// TestForms compares the regions of each section of an archive, a model as
// some exporter writes it, with the section "NAME.regions".
func TestForms(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { archive(t, f) })
	}
}

func archive(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{}
	for _, f := range a.Files {
		want[f.Name] = string(f.Data)
	}
	var out []txtar.File
	for _, f := range a.Files {
		if strings.HasSuffix(f.Name, ".regions") {
			continue
		}
		got := describe(model(t, string(f.Data)).Main)
		out = append(out, f, txtar.File{Name: f.Name + ".regions", Data: []byte(got)})
		if w, ok := want[f.Name+".regions"]; !*update && (!ok || w != got) {
			t.Errorf("%s:\n%swant\n%s", f.Name, got, w)
		}
	}
	if *update {
		a.Files = out
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

const head = "<ir_version: 10, opset_import: [\"\" : 20, \"com.microsoft\" : 1]>\n"

// model reads a model text; without a header of its own it gets opset 20.
func model(t testing.TB, src string) *graph.Model {
	t.Helper()
	if !strings.HasPrefix(src, "<") {
		src = head + src
	}
	m, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return imported(t, m)
}

func imported(t testing.TB, m *onnx.Model) *graph.Model {
	t.Helper()
	g, err := graph.Import(m)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Infer(); err != nil {
		t.Fatal(err)
	}
	return g
}

func describe(g *graph.Graph) string {
	var b strings.Builder
	for _, r := range region.Find(g).All() {
		fmt.Fprintf(&b, "%s, %s: %s -> %s, %d nodes", r.Kind, r.Form, r.In.Name(), r.Out.Name(), len(r.Nodes))
		if r.Scores != nil {
			fmt.Fprintf(&b, ", %s to %s", r.Scores.Out(0).Name(), r.Values.Out(0).Name())
		}
		if r.Masked {
			b.WriteString(", masked")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// What leaves a region that holds no layers is its result alone, and its
// nodes come in the order of the graph.
func TestClosed(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, f := range files {
		a, _ := txtar.ParseFile(f)
		for _, s := range a.Files {
			if !strings.HasSuffix(s.Name, ".regions") {
				closed(t, s.Name, model(t, string(s.Data)).Main)
			}
		}
	}
}

func closed(t *testing.T, name string, g *graph.Graph) {
	t.Helper()
	order := map[*graph.Node]int{}
	for n := range g.Nodes() {
		order[n] = len(order)
	}
	m := region.Find(g)
	for _, r := range m.All() {
		if !slices.IsSortedFunc(r.Nodes, func(a, b *graph.Node) int { return order[a] - order[b] }) {
			t.Errorf("%s: %s is not in order", name, r)
		}
		for _, n := range r.Nodes {
			if !slices.Contains(m.Of(n), r) {
				t.Errorf("%s: %s does not know %s", name, n.Label(), r)
			}
		}
		if !r.Kind.Normalises() {
			continue
		}
		for _, n := range r.Nodes {
			for _, u := range n.Out(0).Uses() {
				if n.Out(0) != r.Out && (u.IsReturn() || !slices.Contains(r.Nodes, u.Node)) {
					t.Errorf("%s: %s leaves %s", name, n.Out(0).Name(), r)
				}
			}
		}
	}
}

// Nodes that lack inputs or outputs, or read something else, are no reason to fail.
func TestBrokenGraphs(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	var sources []string
	for _, f := range files {
		a, _ := txtar.ParseFile(f)
		for _, s := range a.Files {
			if !strings.HasSuffix(s.Name, ".regions") {
				sources = append(sources, string(s.Data))
			}
		}
	}
	rapid.Check(t, func(r *rapid.T) {
		g := model(t, rapid.SampledFrom(sources).Draw(r, "model")).Main
		var values []*graph.Value
		var nodes []*graph.Node
		for n := range g.Nodes() {
			nodes, values = append(nodes, n), append(values, n.Outs()...)
		}
		for range rapid.IntRange(1, 4).Draw(r, "edits") {
			k := rapid.IntRange(0, len(nodes)-1).Draw(r, "node")
			n := nodes[k]
			switch {
			case n.NumIn() == 0:
			case rapid.Bool().Draw(r, "remove"):
				n.SetIn(rapid.IntRange(0, n.NumIn()-1).Draw(r, "input"), nil)
			case k > 0:
				n.SetIn(rapid.IntRange(0, n.NumIn()-1).Draw(r, "input"), values[rapid.IntRange(0, k-1).Draw(r, "value")])
			}
		}
		for _, x := range region.Find(g).All() {
			if x.In == nil || x.Out == nil || len(x.Nodes) == 0 || x.String() == "" {
				r.Fatalf("incomplete region %+v", x)
			}
		}
	})
}
