package opset_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/opset"
	"github.com/onnxpass/onnxpass/passes/target"
)

const old = `<ir_version: 4, opset_import: ["" : 9]>
g (float[2, 1, 3] x) => (float[2, 3] y, float[2, 3] z) {
   [drop] a = Squeeze <axes = [1]> (x)
   [bound] z = Clip <min = 0.0> (a)
   [soft] y = Softmax <axis = 0> (a)
}`

func load(t testing.TB, src string) *graph.Model {
	t.Helper()
	p, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(p)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestPlanEditsNothing(t *testing.T) {
	m := load(t, old)
	before, edits := exported(t, m), m.Edits()
	changes, err := opset.Plan(context.Background(), m, 13)
	if err != nil {
		t.Fatal(err)
	}
	if exported(t, m) != before || m.Edits() != edits {
		t.Error("the model was edited")
	}
	want := []opset.Change{
		{Node: "bound", Op: "Clip", Version: 11, What: "min and max as inputs"},
		{Node: "drop", Op: "Squeeze", Version: 13, What: "axes as input"},
		{Node: "soft", Op: "Softmax", Version: 13, What: "axis instead of flattening"},
	}
	if fmt.Sprint(changes) != fmt.Sprint(want) {
		t.Errorf("planned %+v, want %+v", changes, want)
	}
}

func raise(t *testing.T, m *graph.Model, to int64) {
	t.Helper()
	if err := opset.Raise(context.Background(), m, to); err != nil {
		t.Fatal(err)
	}
}

func TestRaiseTwiceIsRaiseOnce(t *testing.T) {
	twice, once := load(t, old), load(t, old)
	raise(t, twice, 17)
	raise(t, twice, 17)
	raise(t, once, 17)
	if exported(t, twice) != exported(t, once) {
		t.Errorf("raised twice:\n%s\nonce:\n%s", exported(t, twice), exported(t, once))
	}
}

func TestRaisingInStepsIsRaisingAtOnce(t *testing.T) {
	steps, once := load(t, old), load(t, old)
	for v := int64(10); v <= 21; v++ {
		raise(t, steps, v)
	}
	raise(t, once, 21)
	if exported(t, steps) != exported(t, once) {
		t.Errorf("in steps:\n%s\nat once:\n%s", exported(t, steps), exported(t, once))
	}
}

func TestCancelledRaiseEditsNothing(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	m := load(t, old)
	before := exported(t, m)
	if err := opset.Raise(ctx, m, 13); !errors.Is(err, context.Canceled) || exported(t, m) != before {
		t.Errorf("got %v", err)
	}
}

func TestManyRefusalsAreCounted(t *testing.T) {
	var b strings.Builder
	b.WriteString("<ir_version: 5, opset_import: [\"\" : 10]>\ng (float[1, 1, 2, 2] x0, float[4] s) => (float[1, 1, 2, 2] x15) {\n")
	for i := range 15 {
		fmt.Fprintf(&b, "x%d = Resize (x%d, s)\n", i+1, i)
	}
	err := opset.Raise(context.Background(), load(t, b.String()+"}"), 13)
	var d *diag.Error
	if !errors.As(err, &d) || d.Code != "OP3301" || d.Exit() != 3 {
		t.Fatal(err)
	}
	if n := len(d.Fields); n != 11 || !strings.Contains(err.Error(), "Resize producing x1 (Resize, opset 10)") || !strings.Contains(err.Error(), "and 5 more") {
		t.Errorf("%d fields in %v", n, err)
	}
}

// The pass takes the target's version when none is given, and never lowers.
func TestPass(t *testing.T) {
	for _, c := range []struct {
		target string
		to     int64
		want   int64
	}{{"", 0, 13}, {"", 17, 17}, {"tensorrt", 0, target.Lookup("tensorrt").File.OpsetWrite}, {"tensorrt", 13, 13}, {"", 7, 9}} {
		env := &passes.Env{Model: load(t, old), Report: &passes.StepReport{}, Target: target.Lookup(c.target)}
		set := passes.Set{Passes: []passes.Pass{opset.Pass}}
		step := opset.Pass.Default()
		step.Options = opset.Options{To: c.to}
		p, err := set.Arrange([]passes.Step{step}, passes.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := p.Run(context.Background(), env); err != nil {
			t.Fatal(err)
		}
		if got := env.Model.Opset(""); got != c.want {
			t.Errorf("%+v: opset %d", c, got)
		}
	}
}

// BenchmarkRaise shows that the time per node does not depend on the number of nodes.
func BenchmarkRaise(b *testing.B) {
	for _, n := range []int{1_000, 10_000, 100_000} {
		var src strings.Builder
		src.WriteString("<ir_version: 4, opset_import: [\"\" : 9]>\ng (float[2, 3] x0) => (float[2, 3] y) {\n")
		for i := range n / 2 {
			fmt.Fprintf(&src, "[u%d] z%d = Unsqueeze <axes = [1]> (x%d)\n[s%d] x%d = Squeeze <axes = [1]> (z%d)\n", i, i, i, i, i+1, i)
		}
		fmt.Fprintf(&src, "y = Relu (x%d)\n}", n/2)
		m := load(b, src.String())
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				if err := opset.Raise(context.Background(), m.Clone(), 21); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/node")
		})
	}
}

// A later version that another pass wants is reached where that is possible; otherwise a note says why it is not.
func TestWantedByAnotherPass(t *testing.T) {
	wants := passes.New(passes.Info{Name: "wants", Phase: passes.Finish, Opset: func(any, *target.Profile) int64 { return 19 }}, struct{}{},
		func(context.Context, *passes.Env, struct{}) error { return nil })
	stuck := "<ir_version: 4, opset_import: [\"\" : 10]>\ng (float[1, 1, 2, 2] x, float[4] s) => (float[1, 1, a, b] y) { y = Resize (x, s) }"
	for _, c := range []struct {
		src, spec string
		want      int64
		fails     bool
	}{{old, "opset", 19, false}, {old, "opset:to=13", 13, false}, {stuck, "opset", 0, true}} {
		set := passes.Set{Passes: []passes.Pass{opset.Pass, wants}}
		steps, err := passes.Parse(set.Passes, c.spec, "wants")
		if err != nil {
			t.Fatal(err)
		}
		p, err := set.Arrange(steps, passes.PipelineOptions{})
		if err != nil {
			t.Fatal(err)
		}
		env := &passes.Env{Model: load(t, c.src)}
		reports, err := p.Run(context.Background(), env)
		if got := env.Model.Opset(""); !c.fails && (err != nil || got != c.want) {
			t.Errorf("%s: opset %d, %v", c.spec, got, err)
		}
		if c.fails && (len(reports) == 0 || len(reports[0].Notes) != 1 || reports[0].Notes[0].Code != "OP8033") {
			t.Errorf("no note: %v", err)
		}
	}
}
