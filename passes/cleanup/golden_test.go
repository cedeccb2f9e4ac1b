package cleanup

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort"
	"github.com/onnxpass/onnxpass/calib/runtimelib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
)

var update = flag.Bool("update", false, "rewrite the expected texts")

// TestGolden runs the archives of testdata: the passes of the spec in the file
// "pass" turn the model "in" into "out" and report "report". With a runtime the two
// compute the same: to 1e-5 of the output's scale, the bound that this package
// promises. A second run of the passes must find nothing to do.
//
// The archive's comment may have the line "no runtime": folding then computes by itself.
func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal("no archives", err)
	}
	var runner calib.Runner
	rt, _, err := ort.Discover(runtimelib.Options{})
	if err != nil {
		t.Log("outputs are not compared: ", err)
	} else {
		defer rt.Close()
		runner = rt
	}
	for _, f := range files {
		t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar"), func(t *testing.T) { golden(t, runner, f) })
	}
}

func golden(t *testing.T, rt calib.Runner, file string) {
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	runner := rt
	if strings.Contains("\n"+string(a.Comment), "\nno runtime") {
		runner = nil
	} else if rt == nil {
		t.Skip("no ONNX Runtime library (set ONNXPASS_ORT_LIB)")
	}
	before := parse(t, section(a, "in"))
	m, err := graph.Import(before)
	if err != nil {
		t.Fatal(err)
	}
	spec := strings.TrimSpace(section(a, "pass"))
	reports := apply(t, m, spec, runner)
	got := exported(t, m)
	expect(t, file, a, "out", got)
	expect(t, file, a, "report", summary(reports))
	if *update {
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if edits := m.Edits(); len(apply(t, m, spec, runner)) == 0 || m.Edits() != edits {
		t.Error("a second run changed the model")
	}
	if rt == nil {
		return
	}
	want, have := execute(t, rt, before, ""), execute(t, rt, parse(t, got), "")
	for i := range want {
		if d := distance(want[i], have[i]); d > 1e-5 {
			t.Errorf("output %d differs by %g of its scale", i, d)
		}
	}
}

// apply runs the passes of a spec in the order written.
func apply(t *testing.T, m *graph.Model, spec string, runner calib.Runner) []*passes.StepReport {
	t.Helper()
	steps, err := passes.Parse(Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	_ = m.Infer()
	p := passes.Pipeline{Steps: steps, Check: verify.Model}
	reports, err := p.Run(context.Background(), &passes.Env{Model: m, Runner: runner})
	if err != nil {
		t.Fatal(err)
	}
	return reports
}

func summary(reports []*passes.StepReport) string {
	var b strings.Builder
	for _, r := range reports {
		for _, f := range r.Facts {
			fmt.Fprintf(&b, "%s: %s\n", f.Name, f.Value)
		}
		for _, p := range r.Plan {
			fmt.Fprintf(&b, "plan %s: %s, %s\n", p.Node, p.Action, p.Detail)
		}
		for _, s := range r.Skips {
			fmt.Fprintf(&b, "skip %s: %s\n", strings.Join(s.Nodes, ", "), s.Reason)
		}
		for _, n := range r.Notes {
			fmt.Fprintf(&b, "%s %v\n", n.Code, n)
		}
	}
	return b.String()
}

func parse(t *testing.T, src string) *onnx.Model {
	t.Helper()
	m, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func exported(t *testing.T, m *graph.Model) string {
	t.Helper()
	out, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	return text.String(out)
}

func section(a *txtar.Archive, name string) string {
	for _, f := range a.Files {
		if f.Name == name {
			return string(f.Data)
		}
	}
	return ""
}

// expect compares got with a section of the archive, or puts it there.
func expect(t *testing.T, file string, a *txtar.Archive, name, got string) {
	t.Helper()
	if !*update {
		if want := section(a, name); want != got {
			t.Errorf("%s of %s is\n%s\nwanted\n%s", name, file, got, want)
		}
		return
	}
	for i := range a.Files {
		if a.Files[i].Name == name {
			a.Files[i].Data = []byte(got)
			return
		}
	}
	a.Files = append(a.Files, txtar.File{Name: name, Data: []byte(got)})
}
