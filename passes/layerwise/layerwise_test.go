package layerwise_test

import (
	"context"
	"encoding/binary"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/graph/graphtest"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// cases are layers of every kind. The last node is the layer, its weight is called w.
var cases = map[string]string{
	"Conv padded, strided, dilated": `c (float[2,3,19,17] x) => (float[a,b,c,d] y)
<float[8,3,3,3] w = random(1), float[8] b = random(2)> { y = Conv <pads = [2,1,0,2], strides = [2,1], dilations = [1,2]> (x, w, b) }`,
	"Conv grouped, no bias": `c (float[1,6,15,15] x) => (float[a,b,c,d] y)
<float[8,3,3,3] w = random(1)> { y = Conv <pads = [1,1,1,1], group = 2> (x, w) }`,
	"Conv depthwise, two filters a channel": `c (float[1,6,15,15] x) => (float[a,b,c,d] y)
<float[12,1,3,3] w = random(1), float[12] b = random(2)> { y = Conv <pads = [1,1,1,1], group = 6, strides = [2,2]> (x, w, b) }`,
	"Conv pointwise": `c (float[1,9,15,15] x) => (float[a,b,c,d] y)
<float[5,9,1,1] w = random(1), float[5] b = random(2)> { y = Conv (x, w, b) }`,
	"Conv pointwise, strided": `c (float[1,9,15,15] x) => (float[a,b,c,d] y)
<float[5,9,1,1] w = random(1), float[5] b = random(2)> { y = Conv <strides = [2,2]> (x, w, b) }`,
	"Conv SAME_UPPER": `c (float[1,3,16,16] x) => (float[a,b,c,d] y)
<float[5,3,3,3] w = random(1), float[5] b = random(2)> { y = Conv <auto_pad = "SAME_UPPER", strides = [2,2]> (x, w, b) }`,
	"Conv VALID": `c (float[1,3,16,16] x) => (float[a,b,c,d] y)
<float[5,3,3,3] w = random(1), float[5] b = random(2)> { y = Conv <auto_pad = "VALID"> (x, w, b) }`,
	"Conv over one dimension": `c (float[2,4,60] x) => (float[a,b,c] y)
<float[5,4,5] w = random(1), float[5] b = random(2)> { y = Conv <pads = [2,2]> (x, w, b) }`,
	"Conv over three dimensions": `c (float[1,2,8,8,8] x) => (float[a,b,c,d,e] y)
<float[3,2,2,2,2] w = random(1), float[3] b = random(2)> { y = Conv (x, w, b) }`,
	"ConvTranspose": `c (float[1,4,11,11] x) => (float[a,b,c,d] y)
<float[4,6,3,3] w = random(1), float[6] b = random(2)> { y = ConvTranspose <pads = [1,1,1,1], strides = [2,2]> (x, w, b) }`,
	"Gemm": `c (float[40,16] x) => (float[40,24] y)
<float[16,24] w = random(1), float[24] b = random(2)> { y = Gemm (x, w, b) }`,
	"Gemm transposed": `c (float[40,16] x) => (float[40,24] y)
<float[24,16] w = random(1), float[24] b = random(2)> { y = Gemm <transB = 1> (x, w, b) }`,
	"MatMul": `c (float[3,20,16] x) => (float[3,20,24] y)
<float[16,24] w = random(1)> { y = MatMul (x, w) }`,
}

func model(t testing.TB, body string) *graph.Model {
	t.Helper()
	return graphtest.Parse(t, `<ir_version: 8, opset_import: ["" : 13]> `+body)
}

// source is samples in memory.
type source []calib.Array

func (s source) Len() int                     { return len(s) }
func (s source) Name(int) string              { return "memory" }
func (s source) Digest([]int) (string, error) { return "memory", nil }
func (s source) Read(_ context.Context, i int) (calib.Sample, error) {
	return calib.Sample{Inputs: map[string]calib.Array{"x": s[i]}}, nil
}

// set is n random samples around 1.
func set(m *graph.Model, n int) *calib.Set {
	r := rand.New(rand.NewPCG(1, 2))
	var all source
	for range n {
		a := calib.Array{Type: onnx.Float}
		count := 1
		for _, d := range m.Main.Inputs()[0].Shape().Dims {
			a.Shape = append(a.Shape, d.Value)
			count *= int(d.Value)
		}
		for range count {
			a.Bytes = binary.LittleEndian.AppendUint32(a.Bytes, math.Float32bits(float32(r.NormFloat64()+1)))
		}
		all = append(all, a)
	}
	return calib.NewSet(all)
}

// altered is the model with another weight and, where there is one, another bias; delta and shift are by how much.
func altered(t *testing.T, m *graph.Model, l *layerwise.Layer) (to *graph.Model, delta []float32, shift []float64) {
	to, shift = m.Clone(), make([]float64, l.Channels())
	r := rand.New(rand.NewPCG(3, 4))
	w := to.Main.Value("w")
	x, err := w.Const().Float32s()
	if err != nil {
		t.Fatal(err)
	}
	delta = make([]float32, len(x))
	for i := range x {
		delta[i] = 0.1 * float32(r.NormFloat64())
		x[i] += delta[i]
	}
	w.SetInit(onnx.FromFloat32s(w.Const().Dims, x))
	if b := to.Main.Value("b"); b != nil {
		y, err := b.Const().Float32s()
		if err != nil {
			t.Fatal(err)
		}
		for i := range y {
			shift[i] = 0.5 * r.NormFloat64()
			y[i] += float32(shift[i])
		}
		b.SetInit(onnx.FromFloat32s(b.Const().Dims, y))
	}
	return to, layerwise.Matrix(l, delta), shift
}

// observe takes the moments of the layer of m against the outputs of to.
func observe(t *testing.T, rt calib.Runner, m, to *graph.Model, l *layerwise.Layer, step int64, threads int) (*layerwise.Moments, *layerwise.Scatter) {
	t.Helper()
	ctx := context.Background()
	c := &calib.Calibration{Runner: rt, Samples: set(m, 24), Threads: threads}
	w, _ := m.Main.Value("w").Const().Float32s()
	p := &layerwise.Probe{Layer: l, Base: layerwise.Matrix(l, w), Step: step, Products: true}
	if b := m.Main.Value("b"); b != nil {
		p.Bias, _ = b.Const().Float32s()
	}
	y, x := []*graph.Value{to.Main.Value("y")}, []*graph.Value{m.Main.Value("x")}
	targets, err := calib.NewFrontier(ctx, c, to, y)
	if err != nil {
		t.Fatal(err)
	}
	inputs, err := calib.NewFrontier(ctx, c, m, x)
	if err != nil {
		t.Fatal(err)
	}
	a, err := targets.Open(ctx, y, calib.StepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	b, err := inputs.Open(ctx, x, calib.StepOptions{Edit: func(piece *graph.Model) ([]*graph.Value, error) {
		return p.Attach(piece, piece.Main.Value("x")), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	moments, scatter := layerwise.NewMoments(l, true), layerwise.NewScatter(l)
	err = calib.InTurn(targets.Len(), threads, func(i int, ordered func(func() error) error) error {
		return a.Run(ctx, i, nil, func(out []calib.Array) error {
			in := map[string]calib.Array{layerwise.TargetInput: out[0], layerwise.OffsetInput: p.Offset(i, out[0].Shape)}
			return b.Run(ctx, i, in, func(sums []calib.Array) error {
				return ordered(func() error {
					if ok, err := moments.Add(sums); err != nil || !ok {
						t.Error(ok, err)
					}
					return scatter.Add(sums)
				})
			})
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return moments, scatter
}

func layerOf(t *testing.T, m *graph.Model) *layerwise.Layer {
	t.Helper()
	l, why := layerwise.Of(m.Main.Value("y").Def(), m.Main.Value("w").Const().Dims)
	if l == nil {
		t.Fatal(why)
	}
	return l
}

// Least squares finds a hidden change of weights and biases from inputs and
// outputs alone: so windows, weights and targets lie in the same order, with
// every attribute, and whether all positions count or some.
func TestRefitFindsTheHiddenLayer(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		for _, step := range []int64{1, 2} {
			t.Run(name, func(t *testing.T) {
				m := model(t, body)
				l := layerOf(t, m)
				to, delta, shift := altered(t, m, l)
				moments, scatter := observe(t, rt, m, to, l, step, 1)
				got, err := layerwise.NewFit(moments, 1e-7, m.Main.Value("b") != nil, layerwise.Tools{Threads: 2}).Refit()
				if err != nil {
					t.Fatal(err)
				}
				for i := range delta {
					// Inputs have variance 1, changes 0.1; what float32 sums and the ridge leave is far below.
					if math.Abs(float64(got[i]-delta[i])) > 2e-3 {
						t.Fatalf("element %d changed by %g, least squares says %g", i, delta[i], got[i])
					}
				}
				if m.Main.Value("b") == nil {
					return
				}
				for c, s := range scatter.Shift(delta) {
					if math.Abs(s-shift[c]) > 1e-3 {
						t.Errorf("bias %d changed by %g, the means say %g", c, shift[c], s)
					}
				}
				left, err := moments.Error(delta, shift, layerwise.Tools{})
				none, err2 := moments.Error(make([]float32, len(delta)), make([]float64, len(shift)), layerwise.Tools{})
				if err != nil || err2 != nil || !(left < 1e-4*none) {
					t.Errorf("squared error %g of the hidden layer, %g of the other, %v %v", left, none, err, err2)
				}
			})
		}
	}
}

// Moments are the same on any number of threads.
func TestMomentsAreDeterministic(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		m := model(t, body)
		l := layerOf(t, m)
		to, _, _ := altered(t, m, l)
		a, _ := observe(t, rt, m, to, l, 1, 1)
		b, _ := observe(t, rt, m, to, l, 1, 4)
		for i := range a.XX {
			if a.XX[i] != b.XX[i] {
				t.Fatalf("%s: x x^T differs on 1 and 4 threads: %g and %g", name, a.XX[i], b.XX[i])
			}
		}
		for i := range a.DX {
			if a.DX[i] != b.DX[i] {
				t.Fatalf("%s: d x^T differs on 1 and 4 threads: %g and %g", name, a.DX[i], b.DX[i])
			}
		}
	}
}

// The error of moments is that of the layer's outputs, and rounding with
// feedback leaves less of it than rounding to nearest, at the same grid.
func TestRoundingWithFeedback(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			m := model(t, body)
			l := layerOf(t, m)
			moments, _ := observe(t, rt, m, m, l, 1, 1)
			w, _ := m.Main.Value("w").Const().Float32s()
			base := layerwise.Matrix(l, w)
			grid := func(_ int, v float32) float32 { return float32(math.Round(float64(v)*4)) / 4 }
			nearest, fed := make([]float32, len(base)), append([]float32(nil), base...)
			for i, v := range base {
				nearest[i] = grid(0, v) - v
			}
			p, err := calib.NewProduct(context.Background(), rt, 1)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			tools := layerwise.Tools{Threads: 2, Multiply: func(a, b []float32, rows, inner, cols int) ([]float32, error) {
				return p.Of(context.Background(), a, b, rows, inner, cols)
			}}
			if err := layerwise.NewFit(moments, 0.01, false, tools).Round(fed, grid); err != nil {
				t.Fatal(err)
			}
			for i, v := range fed {
				if v != grid(0, v) {
					t.Fatalf("element %d is %g, not on the grid", i, v)
				}
				fed[i] -= base[i]
			}
			zero := make([]float64, l.Channels())
			a, _ := moments.Error(nearest, zero, tools)
			b, _ := moments.Error(fed, zero, tools)
			if !(b < 0.9*a) {
				t.Errorf("squared error %g with feedback, %g without", b, a)
			}
		})
	}
}

// Matrix and Tensor undo each other and put an output channel's weights side by side.
func TestMatrixOrder(t *testing.T) {
	for name, body := range cases {
		m := model(t, body)
		l := layerOf(t, m)
		w := make([]int, l.Len())
		for i := range w {
			w[i] = i
		}
		back := layerwise.Tensor(l, layerwise.Matrix(l, w))
		for i := range back {
			if back[i] != i {
				t.Fatalf("%s: element %d came back as %d", name, i, back[i])
			}
		}
	}
}

// What has no form as a product of matrices is declined with a reason.
func TestDeclined(t *testing.T) {
	for _, body := range []string{
		`c (float[5,16] x) => (float[5,24] y) <float[16,24] w = random(1)> { y = Gemm <alpha = 2.0> (x, w) }`,
		`c (float[16,5] x) => (float[5,24] y) <float[16,24] w = random(1)> { y = Gemm <transA = 1> (x, w) }`,
		`c (float[2,5,16] x) => (float[2,5,24] y) <float[2,16,24] w = random(1)> { y = MatMul (x, w) }`,
		`c (float[1,4,5,5] x) => (float[a,b,c,d] y) <float[4,3,3,3] w = random(1)> { y = ConvTranspose <group = 2> (x, w) }`,
	} {
		m := model(t, body)
		if l, why := layerwise.Of(m.Main.Value("y").Def(), m.Main.Value("w").Const().Dims); l != nil || why == "" {
			t.Errorf("%s: %v, reason %q", body, l, why)
		}
	}
}
