package quant

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// notes are the codes of a report's warnings.
func notes(r *passes.StepReport) []string {
	var out []string
	for _, n := range r.Notes {
		out = append(out, n.Code)
	}
	return out
}

// filled is a source of count samples whose float inputs hold f(sample, element).
func filled(m *graph.Model, count int, f func(sample, i int) float32) *calib.Set {
	var all memory
	for s := range count {
		in := map[string]calib.Array{}
		for _, v := range m.Main.Inputs() {
			a := calib.Array{Type: v.Elem()}
			n := 1
			for _, d := range v.Shape().Dims {
				a.Shape = append(a.Shape, d.Value)
				n *= int(d.Value)
			}
			t := onnx.From(a.Shape, make([]bool, n))
			if v.Elem() == onnx.Float {
				x := make([]float32, n)
				for i := range x {
					x[i] = f(s, i)
				}
				t = onnx.From(a.Shape, x)
			}
			a.Bytes, _ = t.Data.Bytes()
			in[v.Name()] = a
		}
		all = append(all, in)
	}
	return calib.NewSet(all)
}

func wave(sample, i int) float32 { return float32(math.Sin(float64(7*sample + i))) }

// edge quantizes a model text for a target on made-up samples, and compares
// the result with the original on them.
func edge(t *testing.T, src, name string, count int, f func(sample, i int) float32) (*graph.Model, *passes.StepReport, *calib.Comparison) {
	t.Helper()
	rt := orttest.Runner(t)
	set := filled(model(t, src), count, f)
	m, r := quantize(t, src, name, rt, func(e *passes.Env, _ *Options) { e.Calib.Samples = set })
	p, _ := encode(t, m)
	ref, _ := encode(t, model(t, src))
	c, err := calib.Compare(context.Background(), rt, ref, p, set, calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	return m, r, c
}

const plainConv = head + `main (float[1, 3, 8, 8] x) => (float[1, 8, 8, 8] y) <float[8, 3, 3, 3] w = random(1)> {
 [c] c = Conv <pads = [1, 1, 1, 1]> (x, w)
 y = Sigmoid (c) }`

// The warning names what was found and what is wanted; random numbers have a warning of their own.
func TestFewSamples(t *testing.T) {
	for _, c := range []struct {
		src    string
		count  int
		wanted string
	}{
		{plainConv, 10, "64 or more"},
		{plainConv, 63, "64 or more"},
		{plainConv, 64, ""},
		{strings.ReplaceAll(plainConv, "[1, 3", "[8, 3"), 8, ""}, // eight batches of eight
		{strings.ReplaceAll(plainConv, "[1, 3", "[8, 3"), 7, "64 or more"},
		{head + `main (float[1, 8, 8] x) => (float[1, 8, 8] y) <float[8, 8] w = random(1)> {
 q = MatMul (x, w)
 t = Transpose <perm = [0, 2, 1]> (x)
 s = MatMul (q, t)
 p = Softmax <axis = -1> (s)
 y = MatMul (p, q) }`, 100, "300 or more"},
	} {
		src := strings.ReplaceAll(c.src, "float[1, 8, 8, 8] y", "float[N, 8, 8, 8] y")
		_, r, _ := edge(t, src, "openvino", c.count, wave)
		found := ""
		for _, n := range r.Notes {
			if n.Code == "OP8061" {
				found = n.Fields[1].Text
			}
		}
		if found != c.wanted {
			t.Errorf("%d samples: wanted %q, expected %q", c.count, found, c.wanted)
		}
	}
	_, r := quantize(t, plainConv, "openvino", orttest.Runner(t), func(e *passes.Env, _ *Options) { e.Calib.Samples.Random = true })
	if slices.Contains(notes(r), "OP8061") {
		t.Error("few random samples are said to be few")
	}
}

// One sample is enough to quantize, for every target.
func TestOneSample(t *testing.T) {
	for _, name := range target.Names() {
		m, r, c := edge(t, plainConv, name, 1, wave)
		if reasons(r)["c"] != "" || c.All.SQNR < 30 || m.Main.NumNodes() < 4 {
			t.Errorf("%s: %v, SQNR %.1f", name, reasons(r), c.All.SQNR)
		}
	}
}

// A blank input is quantized to its one value and said to be one; a zero one stays in float.
func TestConstantInput(t *testing.T) {
	for _, name := range target.Names() {
		_, r, c := edge(t, plainConv, name, 70, func(int, int) float32 { return 0.37 })
		if got := notes(r); !slices.Contains(got, "OP8062") || reasons(r)["c"] != "" || c.All.SQNR < 35 {
			t.Errorf("%s: notes %v, SQNR %.1f", name, got, c.All.SQNR)
		}
		_, r, c = edge(t, plainConv, name, 70, func(int, int) float32 { return 0 })
		if got := notes(r); !slices.Contains(got, "OP8065") || reasons(r)["c"] != onlyZeros || c.All.MaxAbs != 0 {
			t.Errorf("%s: notes %v, %v, difference %g", name, got, reasons(r), c.All.MaxAbs)
		}
	}
}

// Behind a dead Relu there is no range. The layer that feeds it stays in float
// only where the target quantizes its output, and other inputs still come through.
func TestDeadRelu(t *testing.T) {
	src := head + `main (float[1, 3, 8, 8] x) => (float[1, 16, 8, 8] y) <float[16, 3, 3, 3] w = random(1), float[16] b = {-100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100, -100}, float[16, 16, 1, 1] u = random(2)> {
 [a] c = Conv <pads = [1, 1, 1, 1]> (x, w, b)
 r = Relu (c)
 [b] d = Conv (r, u)
 y = Tanh (d) }`
	for _, name := range target.Names() {
		m, r, c := edge(t, src, name, 70, wave)
		why := reasons(r)
		if why["b"] != onlyZeros || (why["a"] != "") != (name == "ort") || c.All.MaxAbs != 0 {
			t.Errorf("%s: %v, difference %g", name, why, c.All.MaxAbs)
		}
		p, _ := encode(t, m)
		ref, _ := encode(t, model(t, src))
		set := filled(m, 2, func(s, i int) float32 { return 300 * wave(s, i) })
		other, err := calib.Compare(context.Background(), orttest.Runner(t), ref, p, set, calib.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		if name == "ort" && other.All.SQNR < 100 {
			t.Errorf("%s: inputs that wake the Relu: SQNR %.1f", name, other.All.SQNR)
		}
	}
}

// Filters of zeros, single ones or all, are stored and computed as such.
func TestZeroFilters(t *testing.T) {
	zeros := strings.Repeat("0, ", 26) + "0"
	for _, name := range target.Names() {
		for _, weight := range []string{"{" + strings.Repeat(zeros+", ", 7) + zeros + "}", "{1" + strings.Repeat(", 0.5", 26) + strings.Repeat(", "+zeros, 7) + "}"} {
			src := strings.Replace(plainConv, "w = random(1)", "w = "+weight, 1)
			_, r, c := edge(t, src, name, 70, wave)
			if c.All.SQNR < 35 || c.All.Broken > 0 {
				t.Errorf("%s: SQNR %.1f, %v", name, c.All.SQNR, reasons(r))
			}
		}
	}
}

// Infinite and undefined elements leave the range to the finite ones, and are said.
func TestInfiniteActivations(t *testing.T) {
	src := head + `main (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y) <float[16, 16, 1, 1] w = random(1), float one = {1}> {
 r = Relu (x)
 [div] d = Div (one, r)
 [c] c = Conv (d, w)
 y = Sigmoid (c) }`
	for _, name := range target.Names() {
		_, r, _ := edge(t, src, name, 70, func(s, i int) float32 { return max(wave(s, i)+0.9, 0.25) * float32(min(1, i)) })
		if got := notes(r); !slices.Contains(got, "OP8064") || reasons(r)["c"] != "" {
			t.Errorf("%s: notes %v, %v", name, got, reasons(r))
		}
		for _, g := range r.Ranges {
			if g.Tensor == "d" && g.Max != 4 {
				t.Errorf("%s: range %+v", name, g)
			}
		}
	}
}

// A branch that no sample takes is said to be one, and only then.
func TestIdleBranch(t *testing.T) {
	src := head + `main (bool c, float[4, 16] x) => (float[4, 16] y) <float[16, 16] w = random(1)> {
 [if] y = If (c) <then_branch = yes () => (float[4, 16] o) { [in] o = MatMul (x, w) }, else_branch = no () => (float[4, 16] p) { p = Relu (x) }> }`
	_, r, _ := edge(t, src, "ort", 70, wave) // the condition is false in all samples
	if got := notes(r); !slices.Contains(got, "OP8066") || r.Notes[slices.Index(got, "OP8066")].Fields[0].Text != "if then_branch" {
		t.Errorf("%v", r.Notes)
	}
	computed := strings.Replace(strings.Replace(src, "bool c, ", "", 1), "[if]", `i = Constant <value = int64[1] {0}> ()
 f = Flatten <axis = 0> (x)
 g = Gather <axis = 1> (f, i)
 z = Constant <value = float {0}> ()
 l = Less (g, z)
 s = Squeeze (l)
 c = Identity (s)
 [if]`, 1)
	_, r, _ = edge(t, computed, "ort", 70, wave)
	if slices.Contains(notes(r), "OP8066") {
		t.Errorf("%v", r.Notes)
	}
}

// Products of constants are left to folding.
func TestConstantOperands(t *testing.T) {
	src := head + `main (float[4, 16] x) => (float[4, 16] y) <float[4, 16] a = random(2), float[16, 16] w = random(1)> {
 [fixed] h = MatMul (a, w)
 s = Add (x, h)
 [free] y = MatMul (s, w) }`
	_, r, c := edge(t, src, "openvino", 70, wave)
	if why := reasons(r); why["fixed"] != "both operands are constant" || why["free"] != "" || c.All.SQNR < 30 {
		t.Errorf("%v, SQNR %.1f", why, c.All.SQNR)
	}
}

// A tensor of zeros in a Concat takes the scale of the others, whatever comes first.
func TestSpreadOfZeros(t *testing.T) {
	src := head + `main (float[1, 3, 8, 8] x) => (float[1, 8, 8, 8] y) <float[8, 3, 1, 1] w = random(1), float[8] low = {-100, -100, -100, -100, -100, -100, -100, -100}, float[8, 16, 1, 1] u = random(2)> {
 [a] c = Conv (x, w, low)
 r = Relu (c)
 [b] d = Conv (x, w)
 s = Relu (d)
 k = Concat <axis = 1> (r, s)
 [c] e = Conv (k, u)
 y = Tanh (e) }`
	_, r, c := edge(t, src, "openvino", 70, wave)
	if reasons(r)["c"] != "" || c.All.SQNR < 28 {
		t.Errorf("%v, SQNR %.1f", reasons(r), c.All.SQNR)
	}
	scales := map[string]float64{}
	for _, g := range r.Ranges {
		scales[g.Tensor] = g.Scale
	}
	if scales["r"] == 0 || scales["r"] != scales["s"] {
		t.Errorf("scales %v", scales)
	}
}

// What is 8-bit stays so, the rest is quantized, and the report says that it is a mixture.
func TestQuantizedBefore(t *testing.T) {
	src := head + `main (float[4, 32] x) => (float[4, 32] y) <float[32, 32] w = random(1), float[32, 32] u = random(2)> {
 [a] h = MatMul (x, w)
 r = Tanh (h)
 [b] y = MatMul (r, u) }`
	rt := orttest.Runner(t)
	for _, name := range target.Names() {
		m := model(t, src)
		run2 := func(exclude ...string) *passes.StepReport {
			env := &passes.Env{Model: m, Target: target.Lookup(name), Runner: rt, Report: &passes.StepReport{},
				Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 8), Threads: 1}}
			env.Select, _ = passes.NewSelector(passes.Selection{Exclude: exclude})
			if err := run(context.Background(), env, Options{Range: MSE, MaxClip: 100}); err != nil {
				t.Fatal(err)
			}
			return env.Report
		}
		if got := notes(run2("b")); slices.Contains(got, "OP8067") {
			t.Errorf("%s: a float model is said to be quantized", name)
		}
		r := run2()
		if why := reasons(r); why["a"] != quantizedBefore || why["b"] != "" || !slices.Contains(notes(r), "OP8067") {
			t.Errorf("%s: %v, %v", name, why, notes(r))
		}
		if got := notes(run2()); !slices.Contains(got, "OP8067") || slices.Contains(got, "OP8042") {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A layer whose input alone is 8-bit is called what it is.
func TestHalfQuantized(t *testing.T) {
	src := head + `main (float[4, 32] x) => (float[4, 32] y) <float[32, 32] w = random(1), float s = {0.1}, uint8 z = {128}> {
 q = QuantizeLinear (x, s, z)
 d = DequantizeLinear (q, s, z)
 [a] y = MatMul (d, w) }`
	_, r := quantize(t, src, "openvino", orttest.Runner(t), nil)
	if why := reasons(r); why["a"] != halfQuantized {
		t.Errorf("%v", why)
	}
}

// Channels that no sample activates are counted; when an input does, they come through.
func TestDeadChannels(t *testing.T) {
	src := head + `main (float[1, 3, 8, 8] x) => (float[1, 8, 8, 8] y) <float[8, 3, 1, 1] w = random(1), float[8] b = {0, -9, 0, -9, 0, -9, 0, 0}, float[8, 8, 1, 1] u = random(2)> {
 [a] c = Conv (x, w, b)
 r = Relu (c)
 [b] d = Conv (r, u)
 y = Sigmoid (d) }`
	for _, name := range []string{"openvino", "ort"} {
		m, r, c := edge(t, src, name, 70, wave)
		found := ""
		for _, f := range r.Facts {
			if strings.HasPrefix(f.Name, "channels that are zero") {
				found = f.Value
			}
		}
		if found != "3 of 11" || c.All.SQNR < 30 {
			t.Errorf("%s: %q, SQNR %.1f", name, found, c.All.SQNR)
		}
		p, _ := encode(t, m)
		ref, _ := encode(t, model(t, src))
		far := filled(m, 3, func(s, i int) float32 { return 10 * wave(s, i) })
		d, err := calib.Compare(context.Background(), orttest.Runner(t), ref, p, far, calib.CompareOptions{Threads: 1})
		if err != nil || d.All.Broken > 0 {
			t.Errorf("%s: %v, %+v", name, err, d)
		}
	}
}
