package quant

import (
	"bytes"
	"context"
	"errors"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/diag"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// memory is a source of samples made up in memory.
type memory []map[string]calib.Array

func (m memory) Len() int                     { return len(m) }
func (m memory) Name(i int) string            { return string(rune('a' + i)) }
func (m memory) Digest([]int) (string, error) { return "memory", nil }
func (m memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Inputs: m[i]}, nil
}

// samples are n random samples for the inputs of m: normal floats, small integers.
func samples(m *graph.Model, n int) *calib.Set {
	rng := rand.New(rand.NewPCG(7, 8))
	var all memory
	for range n {
		in := map[string]calib.Array{}
		for _, v := range m.Main.Inputs() {
			if !v.IsInit() {
				in[v.Name()] = random(v, rng)
			}
		}
		all = append(all, in)
	}
	return calib.NewSet(all)
}

func random(v *graph.Value, rng *rand.Rand) calib.Array {
	a := calib.Array{Type: v.Elem()}
	count := 1
	for _, d := range v.Shape().Dims {
		a.Shape = append(a.Shape, max(d.Value, 1))
		count *= int(max(d.Value, 1))
	}
	var t *onnx.Tensor
	switch v.Elem() {
	case onnx.Int64:
		t = onnx.From(a.Shape, make([]int64, count))
	case onnx.Bool:
		t = onnx.From(a.Shape, make([]bool, count))
	case onnx.Float16:
		t = onnx.From(a.Shape, make([]uint16, count))
	default:
		x := make([]float32, count)
		for i := range x {
			x[i] = float32(rng.NormFloat64())
		}
		t = onnx.From(a.Shape, x)
	}
	a.Bytes, _ = t.Data.Bytes()
	return a
}

// quantize runs the pass on a model text and returns the model and the report.
func quantize(t testing.TB, src, profile string, rt calib.Runner, change func(*passes.Env, *Options)) (*graph.Model, *passes.StepReport) {
	t.Helper()
	m := model(t, src)
	env := &passes.Env{Model: m, Target: target.Lookup(profile), Runner: rt, Report: &passes.StepReport{},
		Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 8), Threads: 1}}
	o := Options{Range: MSE, MaxClip: 100, Percentile: 99.99, Bias: BiasMean}
	if change != nil {
		change(env, &o)
	}
	if err := run(context.Background(), env, o); err != nil {
		t.Fatal(err)
	}
	return m, env.Report
}

func encode(t testing.TB, m *graph.Model) (*onnx.Model, []byte) {
	t.Helper()
	p, err := m.Export()
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := onnx.Write(&b, p); err != nil {
		t.Fatal(err)
	}
	return p, b.Bytes()
}

// Every archive for every target: the result is valid, keeps the interface,
// breaks no rule that matters, computes about the same, is the same bytes at
// every run, and a second run finds nothing to do.
func TestApply(t *testing.T) {
	rt := orttest.Runner(t)
	files, _ := filepath.Glob("testdata/*.txtar")
	for _, f := range files {
		a, err := txtar.ParseFile(f)
		if err != nil {
			t.Fatal(err)
		}
		src := string(a.Files[0].Data)
		for _, name := range target.Names() {
			t.Run(strings.TrimSuffix(filepath.Base(f), ".txtar")+"/"+name, func(t *testing.T) { applied(t, rt, src, name) })
		}
	}
}

func applied(t *testing.T, rt calib.Runner, src, name string) {
	m, _ := quantize(t, src, name, rt, nil)
	if err := verify.Model(m); err != nil {
		t.Fatal(err)
	}
	before := model(t, src)
	for i, v := range before.Main.Inputs() {
		if m.Main.Inputs()[i].Name() != v.Name() {
			t.Errorf("input %d is called %s", i, m.Main.Inputs()[i].Name())
		}
	}
	for i := range before.Main.Outputs() {
		if m.Main.OutputName(i) != before.Main.OutputName(i) {
			t.Errorf("output %d is called %s", i, m.Main.OutputName(i))
		}
	}
	for _, f := range target.Lookup(name).Lint(m) {
		if f.Severity.Failing() {
			t.Error(f)
		}
	}
	quantized, data := encode(t, m)
	again, _ := quantize(t, src, name, rt, nil)
	if _, other := encode(t, again); !bytes.Equal(data, other) {
		t.Error("two runs give different files")
	}
	reference, _ := encode(t, before)
	c, err := calib.Compare(context.Background(), rt, reference, quantized, samples(before, 12), calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if c.All.SQNR < 15 { // random weights and saturating outputs lose more than trained networks
		t.Errorf("SQNR %.1f dB", c.All.SQNR)
	}
	edits := m.Edits()
	env := &passes.Env{Model: m, Target: target.Lookup(name), Report: &passes.StepReport{},
		Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 2)}}
	if err := run(context.Background(), env, Options{Range: MinMax}); err != nil {
		t.Fatal(err)
	}
	for _, l := range env.Report.Layers {
		if l.Reason == "" {
			t.Errorf("the second run quantizes %s", l.Name)
		}
	}
	if m.Edits() != edits {
		t.Errorf("the second run made %d edits", m.Edits()-edits)
	}
}

const head = "<ir_version: 8, opset_import: [\"\" : 13]>\n"

func TestDryRunEditsNothing(t *testing.T) {
	src := head + "main (float[4, 16] x) => (float[4, 32] y) <float[16, 32] w = random(1)> { [mm] y = MatMul (x, w) }"
	m, r := quantize(t, src, "ort", orttest.Runner(t), func(e *passes.Env, _ *Options) { e.DryRun = true })
	if len(r.Plan) != 1 || r.Plan[0].Action != "quantize" || len(r.Ranges) != 1 {
		t.Errorf("plan %v, ranges %v", r.Plan, r.Ranges)
	}
	for n := range m.All() {
		if n.Op() != "MatMul" {
			t.Errorf("dry run made %s", n.Op())
		}
	}
}

// reasons maps each layer to why it stayed float.
func reasons(r *passes.StepReport) map[string]string {
	out := map[string]string{}
	for _, l := range r.Layers {
		out[l.Name] = l.Reason
	}
	return out
}

func TestExclude(t *testing.T) {
	src := head + "main (float[4, 16] x) => (float[4, 16] y) <float[16, 16] w = random(1)> { [a] h = MatMul (x, w)\n [b] y = MatMul (h, w) }"
	_, r := quantize(t, src, "ort", orttest.Runner(t), func(e *passes.Env, _ *Options) {
		e.Select, _ = passes.NewSelector(passes.Selection{Exclude: []string{"a"}})
	})
	if why := reasons(r); why["a"] != "excluded by --exclude a" || why["b"] != "" {
		t.Errorf("%v", why)
	}
}

// One constant read along different axes is stored once for each; a reader in float keeps the float form.
func TestTiedWeights(t *testing.T) {
	src := head + `main (float[4, 16] x, int64[2] i) => (float[4, 16] y, float[4, 16] z, float[4, 16] v, float[2, 16] e)
<float[16, 16] w = random(1)> { [a] y = MatMul (x, w)
 [b] z = Gemm <transB = 1> (x, w)
 [c] v = MatMul (y, w)
 [d] e = Gather (w, i) }`
	m, _ := quantize(t, src, "openvino", orttest.Runner(t), nil)
	var codes, floats int
	for _, v := range m.Main.Initializers() {
		switch {
		case v.Elem() == onnx.Int8 && len(v.Shape().Dims) == 2:
			codes++
		case v.Name() == "w":
			floats++
		}
	}
	if codes != 2 || floats != 1 {
		t.Errorf("%d stored forms, %d float forms", codes, floats)
	}
}

// Where the samples bring only infinity and NaN there is no range: the layer behind stays float.
func TestNoStatistics(t *testing.T) {
	src := head + `main (float[4, 16] x) => (float[4, 16] y, float[4, 16] z) <float[16, 16] w = random(1), float zero = {0}> {
 [ok] y = MatMul (x, w)
 a = Abs (x)
 d = Div (a, zero)
 [dead] z = MatMul (d, w) }`
	_, r := quantize(t, src, "openvino", orttest.Runner(t), nil)
	if why := reasons(r); !strings.HasPrefix(why["dead"], "no statistics") || why["ok"] != "" {
		t.Errorf("%v", why)
	}
}

// Constant tensors have a range of width 0 and must come through.
func TestConstantActivation(t *testing.T) {
	src := head + `main (float[4, 16] x) => (float[4, 16] y) <float[16, 16] w = random(1), float zero = {0}, float three = {3}> {
 m = Mul (x, zero)
 [a] h = MatMul (m, w)
 t = Add (h, three)
 [b] y = MatMul (t, w) }`
	rt := orttest.Runner(t)
	for _, name := range target.Names() {
		m, _ := quantize(t, src, name, rt, nil)
		p, _ := encode(t, m)
		before := model(t, src)
		ref, _ := encode(t, before)
		c, err := calib.Compare(context.Background(), rt, ref, p, samples(before, 4), calib.CompareOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if c.All.SQNR < 30 {
			t.Errorf("%s: SQNR %.1f", name, c.All.SQNR)
		}
	}
}

// Dead output channels get a scale that is no smaller than four decades below the largest.
func TestDeadChannel(t *testing.T) {
	m := model(t, head+"main (float[1, 4] x) => (float[1, 3] y) <float[4, 3] w = {1, 0, 0.000001, 2, 0, 0, 0, 0, 0, 0, 0, 0}> { y = MatMul (x, w) }")
	for n := range m.All() {
		w, err := newWeight(n, n.In(1), onnx.Int8)
		if err != nil {
			t.Fatal(err)
		}
		for c, s := range w.scale {
			if s < 2e-4/127*0.999 {
				t.Errorf("channel %d: scale %g", c, s)
			}
		}
		b, err := w.tensor().Data.Bytes()
		if err != nil || b[3] != 127 || b[1] != 0 {
			t.Errorf("codes %v, %v", b, err)
		}
	}
}

// A Concat of tensors whose ranges differ by more than 16 keeps a scale for each.
func TestSpread(t *testing.T) {
	body := func(factor string) string {
		return head + `main (float[1, 16, 8, 8] x) => (float[1, 16, 8, 8] y) <float[16, 16, 1, 1] w1 = random(1), float[16, 16, 1, 1] w2 = random(2, -` + factor + `, ` + factor + `), float[16, 32, 1, 1] w3 = random(3)> {
 [a] a = Conv (x, w1)
 [b] b = Conv (x, w2)
 ra = Relu (a)
 rb = Relu (b)
 k = Concat <axis = 1> (ra, rb)
 [c] c = Conv (k, w3)
 y = Sigmoid (c) }`
	}
	rt := orttest.Runner(t)
	for factor, want := range map[string]string{"1.0": "ra rb x", "1000.0": "k x"} {
		_, r := quantize(t, body(factor), "openvino", rt, nil)
		names := map[string]bool{}
		for _, g := range r.Ranges {
			names[g.Tensor] = true
		}
		for _, w := range strings.Fields(want) {
			if !names[w] {
				t.Errorf("factor %s: no pair on %s (%v)", factor, w, names)
			}
		}
	}
}

func TestOldOpsetIsRefused(t *testing.T) {
	m := model(t, `<ir_version: 6, opset_import: ["" : 12]> main (float[4, 16] x) => (float[4, 16] y) <float[16, 16] w = random(1)> { y = MatMul (x, w) }`)
	err := run(context.Background(), &passes.Env{Model: m}, Options{})
	if d := (*diag.Error)(nil); !errors.As(err, &d) || d.Code != "OP3460" {
		t.Errorf("%v", err)
	}
}

// SiLU squashes what is far below zero: the range of its argument need not reach there.
func TestResponseCutsTail(t *testing.T) {
	m := model(t, head+"main (float[4, 16] x) => (float[4, 16] y) <float[16, 16] w = random(1)> { c = MatMul (x, w)\n s = Sigmoid (c)\n y = Mul (c, s) }")
	var v *graph.Value
	for n := range m.All() {
		if n.Is("MatMul") {
			v = n.Out(0)
		}
	}
	f := response(v)
	if f == nil || math.Abs(f(2)-2/(1+math.Exp(-2))) > 1e-12 {
		t.Fatal("SiLU is not recognised")
	}
	var xs []float64
	for i := range 20000 {
		xs = append(xs, -60+80*float64(i)/20000)
	}
	h := dyadic(xs, 1.0/32)
	h.respond(f)
	if lo, hi := searchMSE(h, codeAsymmetric, h.Min, h.Max, 1); lo < -15 || hi < 18 {
		t.Errorf("range [%g, %g]", lo, hi)
	}
}

// Nodes with absent inputs and outputs are left alone; they must not stop the pass.
func TestPlanOfBrokenNodes(t *testing.T) {
	ops := []string{"Conv", "ConvTranspose", "Gemm", "MatMul", "Pad", "Concat", "Add", "Mul", "Relu", "Clip", "MaxPool", "GlobalAveragePool", "ReduceMean",
		"BatchNormalization", "Resize", "Softmax", "Sigmoid", "LSTM", "Split", "Reshape"}
	for _, name := range target.Names() {
		for _, op := range ops {
			for _, in := range [][]string{nil, {""}, {"x"}, {"", "w"}, {"x", ""}, {"x", "w"}, {"c", "c"}, {"c", "", "w"}} {
				for _, out := range [][]string{{""}, {"y"}, {"", "y"}} {
					w := onnx.FromFloat32s([]int64{2, 2, 1, 1}, []float32{1, 2, 3, 4})
					w.Name = "w"
					m := &onnx.Model{IRVersion: 8, OpsetImport: []*onnx.OperatorSet{{Version: 13}}, Graph: &onnx.Graph{Name: "g", Initializer: []*onnx.Tensor{w},
						Input: []*onnx.ValueInfo{{Name: "x", Type: &onnx.Type{Tensor: &onnx.TensorType{Elem: onnx.Float}}}},
						Node: []*onnx.Node{
							{OpType: "Conv", Input: []string{"x", "w"}, Output: []string{"c"}},
							{OpType: op, Input: in, Output: out},
							{OpType: "Conv", Input: []string{"y", "w"}, Output: []string{"e"}},
							{OpType: "Relu", Input: []string{"e"}, Output: []string{""}},
						}}}
					g, err := graph.Import(m)
					if err != nil {
						continue
					}
					_ = g.Infer()
					p, err := newPlanner(&passes.Env{Model: g, Target: target.Lookup(name), Report: &passes.StepReport{}}, Options{Range: MSE})
					if err != nil {
						t.Fatal(err)
					}
					if err := p.plan(context.Background()); err == nil {
						p.report()
					}
				}
			}
		}
	}
}
