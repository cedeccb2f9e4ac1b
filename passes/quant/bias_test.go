package quant

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

var shiftCases = map[string]string{
	"padded, strided, dilated": `c (float[1,3,9,8] x) => (float[1,8,5,4] y)
<float[8,3,3,3] w = random(1), float[8] b = random(2)>
{ y = Conv <pads = [2,2,2,2], strides = [2,2], dilations = [2,2]> (x, w, b) }`,
	"grouped, no bias": `c (float[1,6,7,7] x) => (float[1,8,7,7] y)
<float[8,3,3,3] w = random(1)>
{ y = Conv <pads = [1,1,1,1], group = 2> (x, w) }`,
	"depthwise": `c (float[1,6,7,7] x) => (float[1,6,4,4] y)
<float[6,1,3,3] w = random(1), float[6] b = random(2)>
{ y = Conv <pads = [1,1,1,1], group = 6, strides = [2,2]> (x, w, b) }`,
	"transposed": `c (float[1,4,5,5] x) => (float[1,6,9,9] y)
<float[4,6,3,3] w = random(1), float[6] b = random(2)>
{ y = ConvTranspose <pads = [1,1,1,1], strides = [2,2]> (x, w, b) }`,
	"Gemm": `c (float[5,16] x) => (float[5,24] y)
<float[24,16] w = random(1), float[24] b = random(2)>
{ y = Gemm <transB = 1> (x, w, b) }`,
	"MatMul and Add": `c (float[2,5,16] x) => (float[2,5,24] y)
<float[16,24] w = random(1), float[24] b = random(2)>
{ h = MatMul (x, w) y = Add (b, h) }`,
}

// The shift equals, by brute force, the mean difference between the layer with
// its own and with its rounded weights, and goes into the bias.
func TestShiftIsTheMeanError(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range shiftCases {
		for _, opset := range []string{"17", "18"} {
			t.Run(name+" opset "+opset, func(t *testing.T) {
				checkShift(t, rt, `<ir_version: 8, opset_import: ["" : `+opset+`]> `+body)
			})
		}
	}
}

func checkShift(t *testing.T, rt calib.Runner, src string) {
	m := model(t, src)
	set := positive(m, 16)
	env := &passes.Env{Model: m, Target: target.Lookup("openvino"), Runner: rt, Report: &passes.StepReport{},
		Calib: &calib.Calibration{Runner: rt, Samples: set, Threads: 1}}
	p, err := newPlanner(env, Options{Range: MinMax, Bias: BiasMean, Effort: EffortFast})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := p.measureShifts(context.Background()); err != nil {
		t.Fatal(err)
	}
	l := p.layers[0]
	if l.shift == nil {
		t.Fatalf("no shift for %s", l.node.Label())
	}
	w := p.weights[p.key(l)]
	want := meanError(t, rt, m, l, w, set)
	spread := 0.0
	for _, d := range want {
		spread = max(spread, math.Abs(d))
	}
	for c, d := range l.shift {
		// Channels that do not stand out from their standard error are left alone; the others
		// agree to float32's rounding of two sums that cancel.
		if d != 0 && math.Abs(d-want[c]) > 1e-3*spread {
			t.Errorf("channel %d: shift %g, brute force %g", c, d, want[c])
		}
	}
	before := biasOf(t, l, len(want))
	shift := append([]float64(nil), l.shift...)
	p.correctBias(l)
	for c, b := range biasOf(t, l, len(want)) {
		if got := float64(b) - float64(before[c]); math.Abs(got-shift[c]) > 1e-6 {
			t.Errorf("channel %d: bias moved by %g, shift %g", c, got, shift[c])
		}
	}
}

// positive are samples with the mean that activations behind a Relu have; around zero there is no shift to find.
func positive(m *graph.Model, n int) *calib.Set {
	rng := rand.New(rand.NewPCG(3, 4))
	var all memory
	for range n {
		v := m.Main.Inputs()[0]
		a := random(v, rng)
		x, _ := (&onnx.Tensor{Type: onnx.Float, Dims: a.Shape, Data: onnx.RawBytes(a.Bytes)}).Float32s()
		for i := range x {
			x[i] = x[i]*0.3 + 2
		}
		a.Bytes, _ = onnx.FromFloat32s(a.Shape, x).Data.Bytes()
		all = append(all, map[string]calib.Array{v.Name(): a})
	}
	return calib.NewSet(all)
}

// biasOf is the constant that the layer adds, zeros when there is none.
func biasOf(t *testing.T, l *layer, n int) []float32 {
	t.Helper()
	v := l.node.In(2)
	if l.node.Is("MatMul") {
		u, _ := l.addend()
		v = u.Value()
	}
	if v == nil {
		return make([]float32, n)
	}
	b, err := v.Const().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// meanError runs the model with its own and with the rounded weight.
func meanError(t *testing.T, rt calib.Runner, m *graph.Model, l *layer, w *weight, set *calib.Set) []float64 {
	t.Helper()
	rounded := m.Clone()
	v := rounded.Main.Value(l.weight.Name())
	x, err := v.Const().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	q := make([]float32, len(x))
	channelsOf(v.Const().Dims, w.axis).runs(len(x), func(c, from, to int) {
		for i := from; i < to; i++ {
			q[i] = float32(code(x[i], w.scale[c])) * w.scale[c]
		}
	})
	v.SetInit(onnx.FromFloat32s(v.Const().Dims, q))
	a, b := channelMeans(t, rt, m, l, len(w.scale), set), channelMeans(t, rt, rounded, l, len(w.scale), set)
	for c := range a {
		a[c] -= b[c]
	}
	return a
}

// channelMeans is the mean output per channel over samples and positions.
func channelMeans(t *testing.T, rt calib.Runner, m *graph.Model, l *layer, channels int, set *calib.Set) []float64 {
	t.Helper()
	p, _ := encode(t, m)
	s, err := rt.Open(context.Background(), p, calib.OpenOptions{Optimization: calib.Exact, Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	sum, count := make([]float64, channels), 0
	for i := range set.Len() {
		sample, err := set.Read(context.Background(), i)
		if err != nil {
			t.Fatal(err)
		}
		err = s.Run(context.Background(), sample.Inputs, func(out []calib.Array) error {
			var scratch []float64
			y, err := out[0].Float64s(&scratch)
			inner := 1
			if channelAxis(l.node) == 1 {
				inner = len(y) / channels
			}
			for j, v := range y {
				sum[j/inner%channels] += v
			}
			count += len(y) / channels
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for c := range sum {
		sum[c] /= float64(count)
	}
	return sum
}

// With the option off nothing is measured and biases stay.
func TestBiasNone(t *testing.T) {
	rt := orttest.Runner(t)
	src := `<ir_version: 8, opset_import: ["" : 17]> ` + shiftCases["depthwise"]
	m, _ := quantize(t, src, "openvino", rt, func(_ *passes.Env, o *Options) { o.Bias = "none" })
	want, _ := model(t, src).Main.Value("b").Const().Raw()
	b := m.Main.Value("b")
	if b == nil {
		t.Fatal("the bias is another initializer")
	}
	if got, _ := b.Const().Raw(); string(got) != string(want) {
		t.Error("the bias has changed")
	}
}
