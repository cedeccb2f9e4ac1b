package passes

import (
	"context"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/passes/target"
)

func TestArrange(t *testing.T) {
	for _, c := range []struct {
		in     string
		o      PipelineOptions
		want   string
		pulled string
	}{
		{"quant,prune", PipelineOptions{}, "constants, fold, prune, quant", "constants fold"},
		{"quant,prune", PipelineOptions{NoPrep: true}, "prune, quant", ""},
		{"dce,fold", PipelineOptions{}, "constants, fold, dce", "constants"},
		{"dce,quant", PipelineOptions{}, "constants, fold, dce, quant", "constants fold"},
		{"quant,dce,prune", PipelineOptions{KeepOrder: true}, "constants, fold, quant, dce, prune", "constants fold"},
		{"dce,prune,dce", PipelineOptions{KeepOrder: true}, "dce, prune, dce", ""},
	} {
		steps, err := Parse(testSet.Passes, c.in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := testSet.Arrange(steps, c.o)
		if err != nil {
			t.Errorf("%s: %v", c.in, err)
			continue
		}
		if got := Names(p.Steps); got != c.want {
			t.Errorf("%s: got %s, want %s", c.in, got, c.want)
		}
		for _, name := range strings.Fields(c.pulled) {
			if p.Pulled[name] == "" {
				t.Errorf("%s: %s is not marked as pulled in", c.in, name)
			}
		}
		if len(p.Pulled) != len(strings.Fields(c.pulled)) {
			t.Errorf("%s: pulled %v", c.in, p.Pulled)
		}
	}
}

func TestKeepOrderIsNoted(t *testing.T) {
	steps, _ := Parse(testSet.Passes, "quant,prune")
	p, err := testSet.Arrange(steps, PipelineOptions{KeepOrder: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Notes) != 1 || p.Notes[0].Code != "OP8005" || !strings.Contains(p.Notes[0].Error(), "structure phase") {
		t.Errorf("notes: %v", p.Notes)
	}
}

func TestNamedTwice(t *testing.T) {
	steps, _ := Parse(testSet.Passes, "dce,prune,dce")
	_, err := testSet.Arrange(steps, PipelineOptions{})
	checkDiag(t, "dce twice", err, "OP2006", "named twice")
}

// A pass is followed by the one that completes it for the target, unless an alternative runs, the target needs none, or --no-prep says so.
func TestFollow(t *testing.T) {
	plain := func(context.Context, *Env, struct{}) error { return nil }
	rest := func(_ any, p *target.Profile) []string {
		if p.Name == "tensorrt" {
			return []string{"half", "brain"}
		}
		return nil
	}
	set := Set{Passes: []Pass{
		New(Info{Name: "q", Phase: Quantize, Follow: rest, Opset: func(any, *target.Profile) int64 { return 19 }}, struct{}{}, plain),
		New(Info{Name: "half", Phase: Storage}, struct{}{}, plain), New(Info{Name: "brain", Phase: Storage}, struct{}{}, plain),
	}}
	for _, c := range []struct {
		in, target, want string
		noPrep           bool
	}{
		{"q", "tensorrt", "q, half", false}, {"q,brain", "tensorrt", "q, brain", false}, {"half,q", "tensorrt", "q, half", false},
		{"q", "ort", "q", false}, {"q", "", "q", false}, {"q", "tensorrt", "q", true},
	} {
		steps, err := Parse(set.Passes, c.in)
		if err != nil {
			t.Fatal(err)
		}
		p, err := set.Arrange(steps, PipelineOptions{Target: target.Lookup(c.target), NoPrep: c.noPrep})
		if err != nil {
			t.Fatal(err)
		}
		if got := Names(p.Steps); got != c.want {
			t.Errorf("%s for %q: %s, want %s", c.in, c.target, got, c.want)
		}
		if p.opset(nil) != 19 {
			t.Errorf("%s wants opset %d", c.in, p.opset(nil))
		}
	}
}
