package passes

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/onnx/text"
)

const chain = `<ir_version: 8, opset_import: ["" : 17]>
main (float[N, 4] x) => (float[N, 4] y)
<float[4, 4] w = random(1)>
{
  [a] h = Identity (x)
  [b] z = MatMul (h, w)
  [c] q = Identity (z)
  [d] y = Relu (q)
}`

func model(t *testing.T, src string) *onnx.Model {
	t.Helper()
	m, err := text.Parse(src)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// dropIdentity is a small real pass: it plans, asks the selection, edits and reports.
func dropIdentity(_ context.Context, env *Env, _ struct{}) error {
	for n := range env.Model.Main.Nodes() {
		if !n.Is("Identity") {
			env.Skip(n, "not an Identity")
			continue
		}
		if !env.Admits(n) {
			continue
		}
		env.Plan(n, "remove", "")
		if env.DryRun {
			continue
		}
		n.Out(0).ReplaceUses(n.In(0), nil)
		n.Remove()
	}
	env.Report.Fact("removed", "%d", len(env.Report.Plan))
	return nil
}

func broken(_ context.Context, env *Env, o struct{ How string }) error {
	switch o.How {
	case "panic":
		panic("index out of range")
	case "error":
		return diag.New("OP3401", "this node cannot be treated")
	}
	for n := range env.Model.Main.Nodes() {
		if n.Is("Relu") {
			n.SetOp("Rely", "")
		}
	}
	return nil
}

var runSet = Set{Passes: []Pass{
	New(Info{Name: "drop", Summary: "s", Doc: "d", Phase: Cleanup}, struct{}{}, dropIdentity),
	New(Info{Name: "drop-data", Summary: "s", Doc: "d", Phase: Quantize, NeedsData: true}, struct{}{}, dropIdentity),
	New(Info{Name: "broken", Summary: "s", Doc: "d", Phase: Finish}, struct{ How string }{}, broken),
}}

func job(t *testing.T, spec string) Job {
	t.Helper()
	steps, err := Parse(runSet.Passes, spec)
	if err != nil {
		t.Fatal(err)
	}
	return Job{Model: model(t, chain), Set: runSet, Steps: steps, CheckSteps: true}
}

func TestRunReports(t *testing.T) {
	j := job(t, "drop")
	j.Select.Exclude = []string{"c"}
	done, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	p := done.Result.Passes[0]
	if p.NodesBefore != 4 || p.NodesAfter != 3 || p.NodesRemoved != 1 || p.NodesAdded != 0 || p.Edits == 0 || p.Seconds <= 0 {
		t.Errorf("counts: %+v", p)
	}
	if len(p.Ops) != 1 || p.Ops[0] != (OpChange{"Identity", 2, 1}) {
		t.Errorf("operators: %+v", p.Ops)
	}
	if len(p.Skips) != 2 || p.Skips[0].Count != 2 || p.Skips[1].Reason != "excluded by --exclude c" || p.Skips[1].Nodes[0] != "c" {
		t.Errorf("skips: %+v", p.Skips)
	}
	if len(done.Result.Contract) != 0 || done.Result.After.Nodes != 3 || done.Result.Before.Nodes != 4 {
		t.Errorf("result: %+v", done.Result)
	}
	if got := len(done.Model.Graph.Node); got != 3 {
		t.Errorf("%d nodes in the model", got)
	}
	if len(j.Model.Graph.Node) != 4 {
		t.Error("the original changed")
	}
}

func TestDryRunEditsNothing(t *testing.T) {
	j := job(t, "drop-data")
	j.DryRun = true
	done, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	p := done.Result.Passes[0]
	if !p.Planned || len(p.Plan) != 2 || p.Edits != 0 || p.Plan[0] != (PlanEntry{Node: "a", Op: "Identity", Action: "remove"}) {
		t.Errorf("%+v", p)
	}
	if done.Model != nil {
		t.Error("a dry run has a model")
	}
}

func TestPassBoundary(t *testing.T) {
	for how, want := range map[string]struct{ code, text string }{
		"panic": {"OP1001", "pass broken failed unexpectedly"},
		"error": {"OP3401", "pass broken"},
		"bad":   {"OP1003", "pass broken left an invalid graph"},
	} {
		_, err := Run(context.Background(), job(t, "broken:how="+how))
		checkDiag(t, how, err, want.code, "")
		if err == nil || !strings.Contains(err.Error(), want.text) {
			t.Errorf("%s: %v does not say %q", how, err, want.text)
		}
	}
}

func TestRunNeedsSamples(t *testing.T) {
	_, err := Run(context.Background(), job(t, "drop-data"))
	checkDiag(t, "no samples", err, "OP6001", "drop-data")
}

func TestRunSelectionMustMatch(t *testing.T) {
	j := job(t, "drop")
	j.Select.Only = []string{"a", "aa"}
	_, err := Run(context.Background(), j)
	checkDiag(t, "only", err, "OP2007", "--only aa matches no node")
}

func TestRunStopsWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, job(t, "drop")); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestGatesAreErrors(t *testing.T) {
	j := job(t, "drop")
	size, macs, sqnr := Size(10), int64(3), 20.0
	j.Gates = Gates{MaxSize: &size, MaxMACs: &macs}
	j.Output = t.TempDir() + "/out.onnx"
	done, err := Run(context.Background(), j)
	if !errors.Is(err, ErrGate) {
		t.Fatalf("%v is no gate error", err)
	}
	var g *GateError
	if !errors.As(err, &g) || len(g.Failed) != 2 || g.Failed[0].Code != "OP4005" || g.Failed[1].Code != "OP4006" {
		t.Errorf("%v", err)
	}
	if len(done.Result.Gates) != 2 || done.Result.Gates[0].Pass || len(done.Result.Outputs) != 0 {
		t.Errorf("%+v", done.Result)
	}
	j = job(t, "drop")
	j.Gates = Gates{MinSQNR: &sqnr}
	_, err = Run(context.Background(), j)
	checkDiag(t, "no runtime", err, "OP4011", "min-sqnr")
}

func TestJudge(t *testing.T) {
	f := func(x float64) *float64 { return &x }
	v := &Verification{SQNR: 30, Worst: 20, Cosine: 0.99, Agree: f(95), Outputs: []OutputMetric{{Name: "y", MaxAbs: 0.5}, {Name: "z", MaxAbs: 2}}, Accuracy: &Accuracy{After: 70}}
	for _, c := range []struct {
		g     Gates
		codes string
	}{
		{Gates{}, ""},
		{Gates{MinSQNR: f(20), MinCos: f(0.99), MinAgree: f(95), MinAccuracy: f(70), MaxAbs: map[string]float64{"": 2}}, ""},
		{Gates{MinSQNR: f(20.1)}, "OP4001"},
		{Gates{MinCos: f(0.991), MinAgree: f(96)}, "OP4002 OP4004"},
		{Gates{MaxAbs: map[string]float64{"": 1}}, "OP4003"},
		{Gates{MaxAbs: map[string]float64{"z": 3, "": 0.1}}, "OP4003"},
		{Gates{MinAccuracy: f(71)}, "OP4012"},
	} {
		_, err := c.g.Judge(v)
		var codes []string
		var g *GateError
		if errors.As(err, &g) {
			for _, e := range g.Failed {
				codes = append(codes, e.Code)
			}
		}
		if strings.Join(codes, " ") != c.codes {
			t.Errorf("%+v: %v, want %s", c.g, codes, c.codes)
		}
	}
}

func TestProvenance(t *testing.T) {
	j := job(t, "drop")
	j.Model.MetadataProps = []onnx.Entry{{Key: "author", Value: "me"}, {Key: "onnxpass.passes", Value: "earlier"}, {Key: "onnxpass.verify", Value: "old"}}
	j.Tool = "onnxpass 1.2.3"
	done, err := Run(context.Background(), j)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, e := range done.Model.MetadataProps {
		if _, dup := got[e.Key]; dup {
			t.Errorf("key %s twice", e.Key)
		}
		got[e.Key] = e.Value
	}
	for key, want := range map[string]string{"author": "me", "onnxpass.version": "onnxpass 1.2.3", "onnxpass.passes": "drop", "onnxpass.history": "earlier", "onnxpass.verify": `{"run":false}`} {
		if got[key] != want {
			t.Errorf("%s = %q, want %q", key, got[key], want)
		}
	}
	if len(got["onnxpass.input_sha256"]) != 64 {
		t.Errorf("input hash %q", got["onnxpass.input_sha256"])
	}
	if done.Model.ProducerName != "onnxpass" {
		t.Errorf("producer %q", done.Model.ProducerName)
	}
}

// A run that changes nothing leaves no trace in the file.
func TestNoEditNoStamp(t *testing.T) {
	done, err := Run(context.Background(), Job{Model: model(t, chain), Set: runSet})
	if err != nil {
		t.Fatal(err)
	}
	if len(done.Model.MetadataProps) != 0 || done.Model.ProducerName != "" {
		t.Errorf("%+v %q", done.Model.MetadataProps, done.Model.ProducerName)
	}
}

func TestSelector(t *testing.T) {
	g, err := graph.Import(model(t, chain))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{}, "a b c d"},
		{Selection{Only: []string{"a", "d"}}, "a d"},
		{Selection{Only: []string{"re:^[ab]$"}, Exclude: []string{"a"}}, "b"},
		{Selection{OnlyOp: []string{"Identity"}}, "a c"},
		{Selection{OnlyOp: []string{"Id*"}, Only: []string{"a", "b"}}, "a"},
		{Selection{ExcludeOp: []string{"?elu"}, Exclude: []string{"b"}}, "a c"},
	} {
		s, err := NewSelector(c.s)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(g); err != nil {
			t.Errorf("%+v: %v", c.s, err)
		}
		var got []string
		for n := range g.Main.Nodes() {
			if ok, reason := s.Match(n); ok {
				got = append(got, n.Name())
			} else if reason == "" {
				t.Errorf("%+v: %s is left out without a reason", c.s, n.Name())
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%+v: got %v, want %s", c.s, got, c.want)
		}
	}
	if ok, _ := (*Selector)(nil).Match(nil); !ok {
		t.Error("nil does not admit everything")
	}
}

func TestGlobsReachBelowSlashes(t *testing.T) {
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"/head/*", "/head/conv/1", true}, {"/head/*", "/neck", false}, {"*conv*", "a/conv1/b", true},
		{"conv[1]", "conv[1]", true}, {"conv[1]", "conv1", false}, {"a?c", "abc", true}, {"a?c", "ac", false},
		{"re:conv[0-9]+$", "x/conv12", true}, {"re:conv", "x/cnv", false}, {"a*", "a\nb", true},
	} {
		m, err := compile(c.pattern)
		if err != nil || m(c.name) != c.want {
			t.Errorf("%s on %q: %v, %v", c.pattern, c.name, err == nil && m(c.name), err)
		}
	}
}
