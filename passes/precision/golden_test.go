package precision

import (
	"bytes"
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
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

var known = []passes.Pass{FP16, BF16, Storage}

// parse reads and infers a model text.
func parse(t testing.TB, src string) *graph.Model {
	t.Helper()
	return graphtest.Parse(t, src)
}

// convert runs one pass alone.
func convert(t testing.TB, m *graph.Model, spec, profile string, change func(*passes.Env)) (*passes.StepReport, error) {
	t.Helper()
	steps, err := passes.Parse(known, spec)
	if err != nil {
		t.Fatal(err)
	}
	set := passes.Set{Passes: known}
	p, err := set.Arrange(steps, passes.PipelineOptions{NoPrep: true})
	if err != nil {
		t.Fatal(err)
	}
	p.Check = passes.Verify
	env := &passes.Env{Model: m, Target: target.Lookup(profile)}
	if change != nil {
		change(env)
	}
	reports, err := p.Run(context.Background(), env)
	return reports[0], err
}

// archives calls test for every archive with its sections by name.
func archives(t *testing.T, test func(t *testing.T, file string, a *txtar.Archive, section map[string]string)) {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		section := map[string]string{}
		for _, s := range a.Files {
			section[s.Name] = string(s.Data)
		}
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { test(t, f, a, section) })
	}
}

// TestGolden compares the converted model and the report with sections "out" and "report".
func TestGolden(t *testing.T) {
	archives(t, func(t *testing.T, file string, a *txtar.Archive, section map[string]string) {
		m := parse(t, section["in"])
		r, err := convert(t, m, strings.TrimSpace(section["pass"]), strings.TrimSpace(section["target"]), nil)
		if err != nil {
			t.Fatal(err)
		}
		p, err := m.Export()
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		if err := text.Print(&out, p, text.Options{}); err != nil {
			t.Fatal(err)
		}
		got := map[string]string{"out": out.String(), "report": describe(r)}
		if !*update {
			for _, name := range []string{"out", "report"} {
				if got[name] != section[name] {
					t.Errorf("%s:\n%swant\n%s", name, got[name], section[name])
				}
			}
			return
		}
		a.Files = append(a.Files[:3], txtar.File{Name: "out", Data: []byte(got["out"])}, txtar.File{Name: "report", Data: []byte(got["report"])})
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	})
}

// describe is what the report says, without times.
func describe(r *passes.StepReport) string {
	var b strings.Builder
	for _, s := range r.Skips {
		fmt.Fprintf(&b, "skip %d %v: %s\n", s.Count, s.Nodes, s.Reason)
	}
	for _, f := range r.Facts {
		fmt.Fprintf(&b, "fact %s: %s\n", f.Name, f.Value)
	}
	for _, c := range r.Conversions {
		fmt.Fprintf(&b, "conversion %s: %d of %d clamped, %d flushed\n", c.Tensor, c.Clamped, c.Elements, c.Flushed)
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note %s\n", n.Code)
	}
	return b.String()
}
