package passes

import (
	"context"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/onnx/diag"
)

type quantOptions struct {
	Range      string        `choices:"minmax|mse|percentile" help:"how ranges are chosen"`
	Percentile float64       `min:"50" max:"100" help:"for range=percentile"`
	Bits       int           `min:"2" max:"8" help:"bits of a weight"`
	PerChannel bool          `help:"one scale per output channel"`
	Keep       []string      `help:"operator types left in float"`
	Budget     time.Duration `help:"stop searching after"`
	Cap        Size          `help:"largest tensor"`
	Label      string        `help:"free text"`
	Hidden     int           `opt:"-"`
	SQNRFloor  float32       `opt:"floor" help:"dB"`
}

type pruneOptions struct {
	MACs float64 `opt:"macs" min:"0" max:"1" help:"share of MACs to keep"`
}

func (o pruneOptions) Validate() error {
	if o.MACs == 0.5 {
		return diag.New("OP2005", "half is refused")
	}
	return nil
}

func nothing[O any](context.Context, *Env, O) error { return nil }

var testSet = Set{
	Passes: []Pass{
		New(Info{Name: "quant", Summary: "s", Doc: "d", Phase: Quantize, Needs: []string{"fold"}, NeedsData: true},
			quantOptions{Range: "mse", Percentile: 99.9, Bits: 8, PerChannel: true, Keep: []string{"Softmax"}, Budget: time.Minute, Cap: 1 << 20}, nothing[quantOptions]),
		New(Info{Name: "prune", Summary: "s", Doc: "d", Phase: Structure}, pruneOptions{MACs: 0.8}, nothing[pruneOptions]),
		New(Info{Name: "fold", Summary: "s", Doc: "d", Phase: Cleanup, Needs: []string{"constants"}}, struct{}{}, nothing[struct{}]),
		New(Info{Name: "constants", Summary: "s", Doc: "d", Phase: Cleanup}, struct{}{}, nothing[struct{}]),
		New(Info{Name: "dce", Summary: "s", Doc: "d", Phase: Cleanup}, struct{}{}, nothing[struct{}]),
	},
	Order: []Order{{"fold", "dce", "folding leaves dead nodes"}},
}

func TestSetIsValid(t *testing.T) {
	if err := testSet.Validate(); err != nil {
		t.Fatal(err)
	}
	bad := Set{Passes: append([]Pass{New(Info{Name: "dce", Needs: []string{"nowhere"}}, struct{ C chan int }{}, nothing[struct{ C chan int }])}, testSet.Passes...),
		Order: []Order{{"dce", "fold", "x"}, {"fold", "dce", "y"}, {"quant", "fold", "z"}}}
	err := bad.Validate()
	for _, want := range []string{"used twice", "nowhere", "option c", "both ways", "against the phases"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no complaint about %q in: %v", want, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"quant", "quant"},
		{" quant : range = minmax , bits = 4 , prune ", "quant:range=minmax,bits=4,prune"},
		{"quant:range=mse,prune:macs=0.8", "quant,prune"},
		{"quant:keep=(Add, Mul),label=a:b=c", "quant:keep=(Add,Mul),label=a:b=c"},
		{`quant:keep="Add,Mul"`, "quant:keep=(Add,Mul)"},
		{`quant:keep=()`, "quant:keep=()"},
		{`quant:label="a,\"b\\"`, `quant:label="a,\"b\\"`},
		{"quant:cap=1536KiB,budget=90s,floor=2.5", "quant:budget=1m30s,cap=1536KiB,floor=2.5"},
		{"quant:cap=1.5MB", "quant:cap=1500000"},
	} {
		steps, err := Parse(testSet.Passes, c.in)
		if err != nil {
			t.Errorf("%q: %v", c.in, err)
			continue
		}
		if got := Format(steps); got != c.want {
			t.Errorf("%q: got %q, want %q", c.in, got, c.want)
		}
	}
}

func TestParseErrors(t *testing.T) {
	for _, c := range []struct{ in, code, text string }{
		{"qant", "OP2002", "did you mean quant?"},
		{"", "OP2003", "empty item"},
		{"quant,,prune", "OP2003", "empty item"},
		{"range=mse", "OP2003", "before any pass"},
		{"quant:range", "OP2003", "not KEY=VALUE"},
		{"quant:keep=(a", "OP2003", "parentheses"},
		{"quant:keep=a)", "OP2003", "parentheses"},
		{`quant:label="a`, "OP2003", "quote"},
		{"quant:ragne=mse", "OP2004", "did you mean range?"},
		{"quant:hidden=1", "OP2004", "no option"},
		{"fold:x=1", "OP2004", "takes no options"},
		{"quant:range=mes", "OP2005", "one of minmax, mse, percentile"},
		{"quant:bits=9", "OP2005", "an integer from 2 to 8"},
		{"quant:bits=9999999999999999999999", "OP2005", "an integer"},
		{"quant:percentile=NaN", "OP2005", "a number from 50 to 100"},
		{"quant:per-channel=maybe", "OP2005", "true or false"},
		{"quant:budget=5", "OP2005", "a duration"},
		{"quant:cap=-1", "OP2005", "a size"},
		{"prune:macs=0.5", "OP2005", "half is refused"},
	} {
		_, err := Parse(testSet.Passes, c.in)
		checkDiag(t, c.in, err, c.code, c.text)
	}
}

// checkDiag requires a *diag.Error of the code whose message or hint holds text.
func checkDiag(t *testing.T, label string, err error, code, text string) {
	t.Helper()
	var e *diag.Error
	if !errors.As(err, &e) || e.Code != code {
		t.Errorf("%s: got %v, want code %s", label, err, code)
	} else if !strings.Contains(e.Error()+" "+e.Hint, text) {
		t.Errorf("%s: %q does not say %q", label, e.Error()+" "+e.Hint, text)
	}
}

func TestAssign(t *testing.T) {
	steps, err := Parse(testSet.Passes, "quant,prune")
	if err != nil {
		t.Fatal(err)
	}
	got, err := Assign(testSet.Passes, steps, "quant.keep=a,b", "quant.label=x,y", "prune.macs=0.25")
	if err != nil {
		t.Fatal(err)
	}
	if want := `quant:keep=(a,b),label="x,y",prune:macs=0.25`; Format(got) != want {
		t.Errorf("got %q, want %q", Format(got), want)
	}
	if Format(steps) != "quant,prune" {
		t.Error("Assign changed its argument")
	}
	for _, c := range []struct{ in, code, text string }{
		{"quant", "OP2003", "PASS.KEY=VALUE"},
		{"bits=4", "OP2003", "PASS.KEY=VALUE"},
		{"dce.x=4", "OP2009", "does not run"},
		{"dec.x=4", "OP2002", "dce"},
		{"quant.bits=x", "OP2005", "integer"},
		{"prune.macs=0.5", "OP2005", "half"},
	} {
		_, err := Assign(testSet.Passes, steps, c.in)
		checkDiag(t, c.in, err, c.code, c.text)
	}
}

// Parse(Format(steps)) gives the steps back, whatever the option values are.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		o := quantOptions{
			Range:      rapid.SampledFrom([]string{"minmax", "mse", "percentile"}).Draw(t, "range"),
			Percentile: rapid.Float64Range(50, 100).Draw(t, "percentile"),
			Bits:       rapid.IntRange(2, 8).Draw(t, "bits"),
			PerChannel: rapid.Bool().Draw(t, "perChannel"),
			Keep:       rapid.SliceOf(rapid.String()).Draw(t, "keep"),
			Budget:     time.Duration(rapid.Int64().Draw(t, "budget")),
			Cap:        Size(rapid.Int64Range(0, 1<<60).Draw(t, "cap")),
			Label:      rapid.String().Draw(t, "label"),
			SQNRFloor:  rapid.Float32Range(-1e30, 1e30).Draw(t, "floor"),
		}
		if len(o.Keep) == 0 {
			o.Keep = nil
		}
		steps := []Step{{testSet.Passes[0], o}, {testSet.Passes[1], pruneOptions{rapid.Float64Range(0.6, 1).Draw(t, "macs")}}}
		text := Format(steps)
		got, err := Parse(testSet.Passes, text)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if len(got) != 2 || !reflect.DeepEqual(got[0].Options, steps[0].Options) || !reflect.DeepEqual(got[1].Options, steps[1].Options) {
			t.Fatalf("%s: got %+v, want %+v", text, got, steps)
		}
	})
}

func FuzzSpec(f *testing.F) {
	for _, s := range []string{"quant:range=mse,prune:macs=0.8", `quant:keep=(a,"b)"),label="x\"",dce`, "quant:cap=1.5GB,budget=1h", "fold,,", "((", `"\`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		steps, err := Parse(testSet.Passes, text)
		if err != nil {
			var e *diag.Error
			if !errors.As(err, &e) || e.Exit() != 2 {
				t.Fatalf("%q: not a usage error: %v", text, err)
			}
			return
		}
		canon := Format(steps)
		again, err := Parse(testSet.Passes, canon)
		if err != nil || Format(again) != canon {
			t.Fatalf("%q: %q does not parse back: %q, %v", text, canon, Format(again), err)
		}
	})
}

func TestSize(t *testing.T) {
	for in, want := range map[string]Size{"0": 0, "4096": 4096, "25MiB": 25 << 20, "1.5 GB": 1.5e9, "2g": 2 << 30, "1kb": 1000, "7B": 7, "0.5KiB": 512} {
		if got, err := ParseSize(in); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", in, got, err, want)
		}
	}
	for _, in := range []string{"", "MiB", "-1", "1e400", "nan", "inf", "1x", "99999999999TiB", "0x10"} {
		if got, err := ParseSize(in); err == nil {
			t.Errorf("%q was read as %d", in, got)
		}
	}
}

func TestKebab(t *testing.T) {
	for in, want := range map[string]string{"PerChannel": "per-channel", "MinSQNR": "min-sqnr", "SQNRFloor": "sqnr-floor", "A": "a", "Bits8": "bits8"} {
		if got := kebab(in); got != want {
			t.Errorf("%s: got %s, want %s", in, got, want)
		}
	}
}
