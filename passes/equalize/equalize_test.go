package equalize

import (
	"context"
	"fmt"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/verify"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/onnx/text"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// network is a model in text form: an input of 8 channels, a convolution, the
// body from c to t, and a depthwise convolution that reads t.
func network(body, output, constants string) string {
	return `<ir_version: 8, opset_import: ["" : 17]>
main (float[1, 8, 12, 12] x) => (` + output + `)
< float[8, 8, 3, 3] w = random(5), float[8] b = random(6), float[8, 8, 1, 1] w2 = random(7), float[8, 1, 3, 3] wd = random(8),
  float[4, 8, 1, 1] w3 = random(9), float[8] vec = random(10), float[8, 1, 1] col = random(11), float[1] one = {0.7}, float zero = {0}, float six = {6}, float three = {3},
  float[8] gain = random(12), float[8] shift = random(13), float[8] mean = random(14), float[8] var = fill(1.5),
  int64[8] pads = {0, 0, 1, 1, 0, 0, 1, 1}, float[4] twice = {1, 1, 2, 2}, int64[2] flat = {144, 8}, float[8, 8] m1 = random(15), float[8, 5] m2 = random(16)` + constants + ` >
{ c = Conv <pads = [1, 1, 1, 1]> (x, w, b) ` + body + ` }`
}

const depthwise = ` y = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd)`

func parsed(t testing.TB, source string) *graph.Model {
	t.Helper()
	proto, err := text.Parse(source)
	if err != nil {
		t.Fatal(err)
	}
	m, err := graph.Import(proto)
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Infer(); err != nil {
		t.Fatal(err)
	}
	for i, v := range m.Main.Outputs() {
		m.Main.SetOutputType(i, v.Type())
	}
	return m
}

// memory is a source of samples made up in memory.
type memory []map[string]calib.Array

func (m memory) Len() int                     { return len(m) }
func (m memory) Name(i int) string            { return fmt.Sprint(i) }
func (m memory) Digest([]int) (string, error) { return "memory", nil }
func (m memory) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Inputs: m[i]}, nil
}

// draws are n random samples for the float inputs of m.
func draws(m *graph.Model, n int) *calib.Set {
	rng := rand.New(rand.NewPCG(7, 8))
	var all memory
	for range n {
		in := map[string]calib.Array{}
		for _, v := range m.Main.Inputs() {
			shape := v.Shape()
			a := calib.Array{Type: v.Elem()}
			count := 1
			for _, d := range shape.Dims {
				a.Shape = append(a.Shape, max(d.Value, 1))
				count *= int(max(d.Value, 1))
			}
			x := make([]float32, count)
			for i := range x {
				x[i] = float32(rng.NormFloat64())
			}
			a.Bytes, _ = onnx.FromFloat32s(a.Shape, x).Raw()
			in[v.Name()] = a
		}
		all = append(all, in)
	}
	return calib.NewSet(all)
}

// equalizerOf runs the pass up to the decision.
func equalizerOf(t testing.TB, m *graph.Model, rt calib.Runner, name string) *equalizer {
	t.Helper()
	env := &passes.Env{Model: m, Target: target.Lookup(name), Runner: rt, Calib: &calib.Calibration{Runner: rt, Samples: draws(m, 2), Threads: 1}}
	e := &equalizer{env: env, opt: Options{Mode: Auto, Centre: true}, profile: env.Target}
	e.findSites()
	e.findCentres()
	if len(e.sites)+len(e.centres) > 0 {
		if err := e.observe(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	e.group()
	return e
}

// force gives every class random factors over three decades, so that a rewrite
// that forgets one place cannot hide.
func (e *equalizer) force(seed uint64) (folded int) {
	rng := rand.New(rand.NewPCG(seed, 1))
	for _, c := range e.classes {
		c.factors = make([]float64, c.channels)
		for i := range c.factors {
			c.factors[i] = math.Pow(10, 3*rng.Float64()-2)
		}
		c.insert = c.reason != ""
		if !c.insert {
			folded++
		}
	}
	for c := range e.divided() {
		c.shift = 0.5 + rng.Float64()
	}
	return folded
}

// same fails when two models differ by more than the rounding of float32: 1e-5 of the output's scale.
func same(t testing.TB, rt calib.Runner, a, b *graph.Model, set *calib.Set) {
	t.Helper()
	pa, err := a.Export()
	if err != nil {
		t.Fatal(err)
	}
	pb, err := b.Export()
	if err != nil {
		t.Fatal(err)
	}
	c, err := calib.Compare(context.Background(), rt, pa, pb, set, calib.CompareOptions{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	if c.All.SQNR < 100 || c.All.Broken > 0 {
		t.Errorf("the equalized model differs: SQNR %.1f dB", c.All.SQNR)
	}
}

// folds are bodies from c to t in which the factors can be folded; nodes is how many nodes that adds.
var folds = map[string]struct {
	body   string
	target string
	nodes  int
}{
	"relu":           {body: `t = Relu (c)` + depthwise},
	"nothing":        {body: `t = Identity (c)` + depthwise},
	"leaky":          {body: `t = LeakyRelu <alpha = 0.1> (c)` + depthwise},
	"prelu":          {body: `t = PRelu (c, col)` + depthwise},
	"clip as relu":   {body: `t = Clip (c, zero)` + depthwise},
	"pad and pool":   {body: `p = Pad (c, pads) q = MaxPool <kernel_shape = [2, 2]> (p) t = AveragePool <kernel_shape = [2, 2], pads = [1, 1, 0, 0]> (q)` + depthwise},
	"resize":         {body: `t = Resize <mode = "linear"> (c, , twice)` + depthwise},
	"bias behind":    {body: `d = Add (c, col) t = Relu (d)` + depthwise},
	"scalar behind":  {body: `d = Sub (c, one) t = Relu (d)` + depthwise},
	"constant first": {body: `d = Add (col, c) t = Relu (d)` + depthwise},
	"gain":           {body: `s = Sigmoid (c) t = Mul (s, col)` + depthwise},
	"division":       {body: `s = Sigmoid (c) t = Div (s, six)` + depthwise},
	"batch norm":     {body: `s = Sigmoid (c) t = BatchNormalization (s, gain, shift, mean, var)` + depthwise},
	"norm reads":     {body: `t = Relu (c) n = BatchNormalization (t, gain, shift, mean, var) z = Sigmoid (n) e = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) y = Add (z, e)`},
	"two readers":    {body: `t = Relu (c) e = Conv (t, w2) d = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) y = Add (e, d)`},
	"tied weights":   {body: `t = Relu (c) d = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) u = Sigmoid (d) y = Conv <pads = [1, 1, 1, 1], group = 8> (u, wd)`, nodes: 1},
	"residual":       {body: `r = Conv (x, w2) a = Add (c, r) t = Relu (a) y = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd)`},
	"doubled":        {body: `t = Add (c, c)` + depthwise},
	"gain on skip":   {body: `g = Mul (c, col) t = Add (g, c)` + depthwise},
	"constant reads": {body: `t = Relu (c) k = Mul (t, col) z = Sigmoid (k) d = Div (t, col) v = Tanh (d) e = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) q = Add (z, e) y = Add (q, v)`},
	"shape reads":    {body: `t = Relu (c) s = Shape (t) e = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) f = Expand (e, s) y = Relu (f)`},
	"deconvolution":  {body: `d = ConvTranspose (c, w2, b) t = Relu (d)` + depthwise},
	"grouped":        {body: `d = Conv <group = 2> (c, wg, b) t = Relu (d)` + depthwise},
	"silu":           {body: `s = Sigmoid (c) t = Mul (c, s)` + depthwise, target: "ort", nodes: 1},
	"hard swish":     {body: `a = Add (c, three) h = Clip (a, zero, six) p = Mul (h, c) t = Div (p, six)` + depthwise},
	"rows":           {body: `n = Transpose <perm = [0, 2, 3, 1]> (c) f = MatMul (n, m1) g = Add (f, vec) t = Relu (g) z = MatMul (t, m2) y = Transpose <perm = [0, 3, 1, 2]> (z)`},
	"transposed":     {body: `r = Relu (c) t = Transpose <perm = [0, 2, 3, 1]> (r) y = MatMul (t, m2)`},
	"norm of rows": {body: `n = Transpose <perm = [0, 2, 3, 1]> (c) t = LayerNormalization (n, gain, shift) y = MatMul (t, m2)
		z = MatMul (t, m1)`},
	"gemm": {body: `n = Transpose <perm = [0, 2, 3, 1]> (c) f = Reshape (n, flat) g = Gemm <alpha = 0.5, beta = 2.0, transB = 1> (f, m1, vec) t = Relu (g) y = Gemm (t, m2)`, nodes: 1},
}

// Whatever the factors, folding them leaves the function as it was.
func TestFoldKeepsFunction(t *testing.T) {
	rt := orttest.Runner(t)
	for name, c := range folds {
		t.Run(name, func(t *testing.T) {
			if c.target == "" {
				c.target = "openvino"
			}
			m := parsed(t, network(c.body, `y`, `, float[8, 4, 1, 1] wg = random(20)`))
			before := m.Clone()
			e := equalizerOf(t, m, rt, c.target)
			if e.force(3) == 0 {
				for _, k := range e.classes {
					t.Log(k.reason)
				}
				t.Fatal("nothing can be folded")
			}
			nodes := m.Main.NumNodes()
			if err := e.apply(); err != nil {
				t.Fatal(err)
			}
			if err := verify.Model(m); err != nil {
				t.Fatal(err)
			}
			if added := m.Main.NumNodes() - nodes; added != c.nodes {
				t.Errorf("%d nodes added", added)
			}
			same(t, rt, before, m, draws(m, 3))
		})
	}
}

// moves are bodies with activations that can be moved for a target with symmetric codes, and how many.
var moves = map[string]struct {
	body  string
	count int
}{
	"relu, padded":     {`t = Relu (c)` + depthwise, 1},
	"relu, not padded": {`t = Relu (c) y = Conv (t, w4, b)`, 1},
	"clip":             {`t = Clip (c, zero, six)` + depthwise, 1},
	"clip, no bound":   {`t = Clip (c, zero)` + depthwise, 1},
	"silu":             {`s = Sigmoid (c) t = Mul (c, s)` + depthwise, 1},
	"same":             {`t = Relu (c) y = Conv <auto_pad = "SAME_UPPER", strides = [2, 2]> (t, w5)`, 1},
	"same lower":       {`t = Relu (c) y = Conv <auto_pad = "SAME_LOWER", strides = [2, 1], dilations = [1, 1]> (t, w5)`, 1},
	"residual":         {`t = Relu (c) d = Conv <pads = [1, 1, 1, 1]> (t, w5) a = Add (d, t) r = Relu (a) y = Conv (r, w4)`, 2},
	"two readers":      {`t = Relu (c) d = Conv (t, w4) f = Conv (t, w4, b) y = Add (d, f)`, 1},
	"different pads":   {`t = Relu (c) d = Conv (t, w4) f = Conv <pads = [1, 1, 1, 1]> (t, w5) y = Add (d, f)`, 0},
	"an output":        {`t = Relu (c) y = Sigmoid (t)`, 0},
}

// Moving activations leaves the function as it was, at padded borders too.
func TestMoveKeepsFunction(t *testing.T) {
	rt := orttest.Runner(t)
	for name, c := range moves {
		t.Run(name, func(t *testing.T) {
			source := strings.NewReplacer("float[8, 8, 1, 1] w2", "float[16, 8, 1, 1] w2", "float[8, 8, 3, 3] w =", "float[16, 8, 3, 3] w =", "float[8] b", "float[16] b",
				"float[8, 1, 3, 3] wd", "float[16, 1, 3, 3] wd", "group = 8", "group = 16").Replace(
				network(c.body, `y`, `, float[16, 16, 1, 1] w4 = random(21), float[16, 16, 3, 3] w5 = random(22)`))
			m := parsed(t, source)
			before := m.Clone()
			e := equalizerOf(t, m, rt, "tensorrt")
			if len(e.centres) != c.count {
				t.Fatalf("%d activations can be moved", len(e.centres))
			}
			e.force(5)
			if err := e.apply(); err != nil {
				t.Fatal(err)
			}
			if err := verify.Model(m); err != nil {
				t.Fatal(err)
			}
			same(t, rt, before, m, draws(m, 3))
		})
	}
}

// declined are bodies in which factors cannot be folded, with the reason.
var declined = map[string]struct{ body, output, why string }{
	"output":        {`t = Relu (c)` + depthwise, `y, t`, "it is a graph output"},
	"clip":          {`t = Clip (c, zero, six)` + depthwise, `y`, "Clip computes it"},
	"sigmoid":       {`t = Sigmoid (c)` + depthwise, `y`, "Sigmoid computes it"},
	"silu":          {`s = Sigmoid (c) t = Mul (c, s)` + depthwise, `y`, "a product of two tensors computes it"},
	"other reader":  {`t = Relu (c) s = Softmax (t) d = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd) y = Add (s, d)`, `y`, "Softmax reads it"},
	"concat":        {`k = Concat <axis = 1> (x, c) z = Split <axis = 1> (k) t = Relu (x) y = Conv <pads = [1, 1, 1, 1], group = 8> (t, wd)`, `y, z`, "its channels are those of a graph input"},
	"gate":          {`g = GlobalAveragePool (x) t = Mul (c, g)` + depthwise, `y`, "a product of two tensors computes it"},
	"skip of input": {`a = Add (c, x) t = Relu (a)` + depthwise, `y`, "its channels are those of a graph input"},
	"computed bias": {`d = Conv (x, w2, bb) t = Relu (d) bb = Sigmoid (b)` + depthwise, `y`, "cannot take up factors"},
	"padding value": {`p = Pad (c, pads, one) t = Relu (p)` + depthwise, `y`, "Pad computes it"},
}

// Where a place cannot compensate the class is declined with its reason, and a Mul in front of the readers is exact.
func TestDecline(t *testing.T) {
	rt := orttest.Runner(t)
	for name, c := range declined {
		t.Run(name, func(t *testing.T) {
			if name == "computed bias" { // text is parsed in order
				c.body = `bb = Sigmoid (b) d = Conv (x, w2, bb) t = Relu (d)` + depthwise
			}
			m := parsed(t, network(c.body, c.output, ""))
			before := m.Clone()
			e := equalizerOf(t, m, rt, "openvino")
			if len(e.classes) == 0 || !strings.Contains(e.classes[0].reason, c.why) {
				t.Fatalf("%d classes, %+v", len(e.classes), e.classes)
			}
			e.force(4)
			if err := e.apply(); err != nil {
				t.Fatal(err)
			}
			same(t, rt, before, m, draws(m, 3))
		})
	}
}

// A target that quantizes the outputs of convolutions gets no factors through an
// activation that is not fused: its input has other ranges below zero.
func TestUnfusedActivation(t *testing.T) {
	rt := orttest.Runner(t)
	for name, folds := range map[string]bool{"ort": false, "openvino": true} {
		e := equalizerOf(t, parsed(t, network(`t = PRelu (c, col)`+depthwise, `y`, "")), rt, name)
		if len(e.classes) != 1 || (e.classes[0].reason == "") != folds {
			t.Errorf("%s: %+v", name, e.classes)
		}
	}
}

// Random chains of operators keep their function, and readers of all kinds compensate.
func TestChains(t *testing.T) {
	rt := orttest.Runner(t)
	steps := []string{
		`%s = Relu (%s)`, `%s = LeakyRelu (%s)`, `%s = PRelu (%s, col)`, `%s = MaxPool <kernel_shape = [2, 2], pads = [0, 0, 1, 1]> (%s)`,
		`%s = Add (%s, col)`, `%s = Mul (%s, col)`, `%s = BatchNormalization (%s, gain, shift, mean, var)`, `%s = Conv (%s, w2, b)`, `%s = Sigmoid (%s)`,
		`%s = Conv <pads = [1, 1, 1, 1], group = 8> (%s, wd)`, `%s = Add (%[2]s, first)`, `%s = Sub (col, %s)`, `%s = Clip (%s, zero, six)`,
	}
	rapid.Check(t, func(r *rapid.T) {
		body, last := `first = Relu (c) `, "first"
		for i, k := range rapid.SliceOfN(rapid.IntRange(0, len(steps)-1), 1, 8).Draw(r, "steps") {
			next := fmt.Sprintf("v%d", i)
			body += fmt.Sprintf(steps[k], next, last) + " "
			last = next
		}
		m := parsed(t, network(body+`y = Conv <pads = [1, 1, 1, 1], group = 8> (`+last+`, wd)`, `y`, ""))
		before := m.Clone()
		e := equalizerOf(t, m, rt, rapid.SampledFrom(target.Names()).Draw(r, "target"))
		e.force(rapid.Uint64().Draw(r, "seed"))
		if err := e.apply(); err != nil {
			r.Fatal(err)
		}
		if err := verify.Model(m); err != nil {
			r.Fatal(err)
		}
		same(t, rt, before, m, draws(m, 2))
	})
}

// Outlier channels behind a LayerNormalization with small weights, as transformers have them, are
// divided by way of its gain; even channels that a matrix product mixes are left alone.
func TestOutlierChannels(t *testing.T) {
	rt := orttest.Runner(t)
	for gain, wanted := range map[string]bool{"{1, 1, 400, 1, 1, 1, 1, 1}": true, "{1, 1, 1.5, 1, 1, 1, 1, 1}": false} {
		m := parsed(t, network(`n = Transpose <perm = [0, 2, 3, 1]> (c) t = LayerNormalization (n, spiky, shift) y = MatMul (t, m2)`, `y`, `, float[8] spiky = `+gain))
		w := m.Main.Value("m2")
		quiet, err := scaled(w.Const(), func(i int) float64 { // the row that reads the loud channel
			if i/5 == 2 {
				return 0.002
			}
			return 1
		})
		if err != nil {
			t.Fatal(err)
		}
		w.SetInit(quiet)
		before := m.Clone()
		e := equalizerOf(t, m, rt, "openvino")
		e.decide()
		if got := len(e.classes) == 1 && e.classes[0].factors != nil; got != wanted {
			t.Errorf("gain %s: %d classes, %+v", gain, len(e.classes), e.classes[0])
		}
		if err := e.apply(); err != nil {
			t.Fatal(err)
		}
		same(t, rt, before, m, draws(m, 2))
	}
}
