package quant

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/graphtest"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

// TestPlacement compares, for each archive and target, which tensors carry a
// pair and who reads it with the section named after the target. The model is
// in section "in". No samples are needed for these decisions.
func TestPlacement(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { placement(t, f) })
	}
}

func placement(t *testing.T, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var out []txtar.File
	for _, f := range a.Files {
		if f.Name == "in" {
			out = append(out, f)
		}
	}
	for _, name := range target.Names() {
		got := describe(planned(t, string(out[0].Data), name))
		out = append(out, txtar.File{Name: name, Data: []byte(got)})
		for _, f := range a.Files {
			if f.Name == name && string(f.Data) != got && !*update {
				t.Errorf("%s:\n%swant\n%s", name, got, f.Data)
			}
		}
	}
	if len(a.Files) != len(out) && !*update {
		t.Errorf("%d sections, want %d: run with -update", len(a.Files), len(out))
	}
	if *update {
		a.Files = out
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// model parses and infers a model text.
func model(t testing.TB, src string) *graph.Model {
	t.Helper()
	return graphtest.Parse(t, src)
}

// planned is the plan for a model text without samples.
func planned(t testing.TB, src, name string) *planner {
	t.Helper()
	p, err := newPlanner(&passes.Env{Model: model(t, src), Target: target.Lookup(name)}, Options{Range: MSE})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	return p
}

// describe lists tensors with their readers, then layers in float with the reason.
func describe(p *planner) string {
	var b strings.Builder
	for _, t := range p.tensors {
		fmt.Fprintf(&b, "%s ->", t.value.Name())
		for _, u := range t.readers {
			fmt.Fprintf(&b, " %s[%d]", nodeName(u.Node), u.Index)
		}
		if t.symmetric {
			b.WriteString(", symmetric")
		}
		if r := t.root(); r != t {
			fmt.Fprintf(&b, ", scale of %s", r.value.Name())
		}
		b.WriteString("\n")
	}
	for _, l := range p.layers {
		if l.reason != "" {
			fmt.Fprintf(&b, "float %s: %s\n", nodeName(l.node), l.reason)
		}
	}
	return b.String()
}
