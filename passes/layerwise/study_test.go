package layerwise_test

import (
	"context"
	"encoding/binary"
	"math"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/layerwise"
)

// runAll gives the arrays of a value for all samples of a set.
func runAll(t *testing.T, rt calib.Runner, m *graph.Model, v *graph.Value, all *calib.Set) []calib.Array {
	t.Helper()
	ctx := context.Background()
	f, err := calib.NewFrontier(ctx, &calib.Calibration{Runner: rt, Samples: all, Threads: 1}, m, []*graph.Value{v})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.Open(ctx, []*graph.Value{v}, calib.StepOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out := make([]calib.Array, f.Len())
	for i := range out {
		if err := s.Run(ctx, i, nil, func(a []calib.Array) error { out[i] = a[0].Copy(); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// study sees the layer of m against the outputs of to, at no more than want positions of each of 24 samples.
func study(t *testing.T, rt calib.Runner, m, to *graph.Model, l *layerwise.Layer, want, threads int) (*layerwise.Study, []*layerwise.Sight) {
	t.Helper()
	p, err := calib.NewProduct(context.Background(), rt, threads)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Close() })
	w, _ := m.Main.Value("w").Const().Float32s()
	s := &layerwise.Study{Layer: l, Base: layerwise.Matrix(l, w), Tools: layerwise.Tools{
		Threads: threads, Scratch: new(layerwise.Scratch),
		Multiply: func(a, b []float32, rows, inner, cols int) ([]float32, error) {
			return p.Of(context.Background(), a, b, rows, inner, cols)
		},
		Batch: func(a, b []float32, n, rows, inner, cols int, turned bool, use func([]float32)) error {
			return p.Batch(context.Background(), a, b, n, rows, inner, cols, turned, use)
		},
	}}
	if b := m.Main.Value("b"); b != nil {
		s.Bias, _ = b.Const().Float32s()
	}
	all := set(m, 24)
	xs := runAll(t, rt, m, m.Main.Value("x"), all)
	var sights []*layerwise.Sight
	for i, y := range runAll(t, rt, to, to.Main.Value("y"), all) {
		target, err := layerwise.NewTarget(l, y, i, want)
		if err != nil {
			t.Fatal(err)
		}
		in, err := layerwise.NewInput(xs[i], 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		sight, err := s.Sight(in, target)
		if err != nil || sight == nil {
			t.Fatal(sight, err)
		}
		sights = append(sights, sight)
	}
	return s, sights
}

func near(t *testing.T, what string, got, want, tolerance float64) {
	t.Helper()
	if !(math.Abs(got-want) <= tolerance) {
		t.Errorf("%s is %g, not %g", what, got, want)
	}
}

// With all positions, a study finds the moments that the runtime computes from
// windows of its own: N, means, second moments, and the sums of every sample.
// Tolerances are what sums of n products of float32 of size 1 to 3 lose.
func TestStudyHasTheMomentsOfTheRuntime(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			m := model(t, body)
			l := layerOf(t, m)
			to, delta, _ := altered(t, m, l)
			want, scatter := observe(t, rt, m, to, l, 1, 1)
			s, sights := study(t, rt, m, to, l, 1<<20, 2)
			got, err := s.Moments(sights)
			if err != nil {
				t.Fatal(err)
			}
			near(t, "N", got.N, want.N, 0)
			loss := 1e-4 * math.Sqrt(want.N) * 4
			for i := range want.X {
				near(t, "x", got.X[i], want.X[i], loss)
			}
			for i := range want.D {
				near(t, "d", got.D[i], want.D[i], loss)
				near(t, "d^2", got.DD[i], want.DD[i], loss)
			}
			for i := range want.XX {
				near(t, "x x^T", float64(got.XX[i]), float64(want.XX[i]), loss)
			}
			for i := range want.DX {
				near(t, "d x^T", float64(got.DX[i]), float64(want.DX[i]), loss)
			}
			sums, err := s.Scatter(sights)
			if err != nil {
				t.Fatal(err)
			}
			shifts, err := sums.Correct(delta)
			if err != nil {
				t.Fatal(err)
			}
			for c, v := range scatter.Shift(delta) {
				near(t, "the bias", shifts[c], v, 1e-4)
			}
		})
	}
}

// Moments of some positions are the same on any number of threads, there are as
// many as were wanted, and least squares on them find the hidden layer.
func TestStudyOfSomePositions(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			m := model(t, body)
			l := layerOf(t, m)
			to, delta, _ := altered(t, m, l)
			s, sights := study(t, rt, m, to, l, 17, 1)
			a, err := s.Moments(sights)
			if err != nil {
				t.Fatal(err)
			}
			if a.N != 24*17 {
				t.Errorf("%g positions of 24 samples, not 17 each", a.N)
			}
			other, again := study(t, rt, m, to, l, 17, 4)
			b, err := other.Moments(again)
			if err != nil {
				t.Fatal(err)
			}
			for i := range a.XX {
				if a.XX[i] != b.XX[i] {
					t.Fatalf("x x^T differs on 1 and 4 threads: %g and %g", a.XX[i], b.XX[i])
				}
			}
			for i := range a.DX {
				if a.DX[i] != b.DX[i] {
					t.Fatalf("d x^T differs on 1 and 4 threads: %g and %g", a.DX[i], b.DX[i])
				}
			}
			got, err := layerwise.NewFit(a, 1e-7, m.Main.Value("b") != nil, s.Tools).Refit()
			if err != nil {
				t.Fatal(err)
			}
			for i := range delta { // as in TestRefitFindsTheHiddenLayer
				if math.Abs(float64(got[i]-delta[i])) > 2e-3 {
					t.Fatalf("element %d changed by %g, least squares says %g", i, delta[i], got[i])
				}
			}
		})
	}
}

// Codes, signed or not, stand for the numbers that DequantizeLinear makes of them.
func TestStudyReadsCodes(t *testing.T) {
	m := model(t, cases["Conv grouped, no bias"])
	l := layerOf(t, m)
	shape, out := []int64{1, 6, 15, 15}, []int64{1, 8, 15, 15}
	const scale, zero = 0.25, 3
	numbers, unsigned, signed := calib.Array{Type: onnx.Float, Shape: shape}, calib.Array{Type: onnx.Uint8, Shape: shape}, calib.Array{Type: onnx.Int8, Shape: shape}
	for i := range 6 * 15 * 15 {
		q := i * 7 % 251
		unsigned.Bytes = append(unsigned.Bytes, byte(q))
		signed.Bytes = append(signed.Bytes, byte(int8(q-128)))
		numbers.Bytes = binary.LittleEndian.AppendUint32(numbers.Bytes, math.Float32bits(float32(q-zero)*scale))
	}
	y := calib.Array{Type: onnx.Float, Shape: out, Bytes: make([]byte, 4*8*15*15)}
	w, _ := m.Main.Value("w").Const().Float32s()
	s := &layerwise.Study{Layer: l, Base: w}
	var all []*layerwise.Moments
	var shifts [][]float64
	for _, x := range []struct {
		calib.Array
		zero int
	}{{numbers, 0}, {unsigned, zero}, {signed, zero - 128}} {
		in, err := layerwise.NewInput(x.Array, scale, x.zero)
		if err != nil {
			t.Fatal(err)
		}
		target, err := layerwise.NewTarget(l, y, 0, 40)
		if err != nil {
			t.Fatal(err)
		}
		sight, err := s.Sight(in, target)
		if err != nil {
			t.Fatal(err)
		}
		moments, err := s.Moments([]*layerwise.Sight{sight})
		if err != nil {
			t.Fatal(err)
		}
		sums, err := s.Scatter([]*layerwise.Sight{sight, sight})
		if err != nil {
			t.Fatal(err)
		}
		all, shifts = append(all, moments), append(shifts, sums.Shift(make([]float32, len(w))))
	}
	for k := 1; k < len(all); k++ {
		for i := range all[0].XX {
			if all[k].XX[i] != all[0].XX[i] {
				t.Fatalf("x x^T of codes is %g, of numbers %g", all[k].XX[i], all[0].XX[i])
			}
		}
		for c := range shifts[0] {
			near(t, "the bias", shifts[k][c], shifts[0][c], 1e-9*math.Abs(shifts[0][c]))
		}
	}
}

// A sample with NaN or infinity, in the input or in the target, tells nothing.
func TestStudyLeavesOutWhatIsNotFinite(t *testing.T) {
	m := model(t, cases["Gemm"])
	l := layerOf(t, m)
	w, _ := m.Main.Value("w").Const().Float32s()
	s := &layerwise.Study{Layer: l, Base: layerwise.Matrix(l, w)}
	for name, bad := range map[string][2]float32{"input": {float32(math.NaN()), 0}, "target": {0, float32(math.Inf(1))}} {
		array := func(v float32, cols int64) calib.Array {
			b := make([]byte, 4*40*cols)
			binary.LittleEndian.PutUint32(b[4*17:], math.Float32bits(v))
			return calib.Array{Type: onnx.Float, Shape: []int64{40, cols}, Bytes: b}
		}
		in, err := layerwise.NewInput(array(bad[0], 16), 1, 0)
		if err != nil {
			t.Fatal(err)
		}
		target, err := layerwise.NewTarget(l, array(bad[1], 24), 0, 2)
		if err != nil {
			t.Fatal(err)
		}
		if sight, err := s.Sight(in, target); err != nil || sight != nil {
			t.Errorf("%s: %v %v", name, sight, err)
		}
	}
}

// The mean windows of an input are those of the moments over all positions: so
// the shape of the output follows from the attributes alone.
func TestMeanWindows(t *testing.T) {
	rt := orttest.Runner(t)
	for name, body := range cases {
		t.Run(name, func(t *testing.T) {
			m := model(t, body)
			l := layerOf(t, m)
			s, sights := study(t, rt, m, m, l, 1<<20, 1)
			moments, err := s.Moments(sights[:1])
			if err != nil {
				t.Fatal(err)
			}
			got, err := layerwise.MeanWindows(l, runAll(t, rt, m, m.Main.Value("x"), set(m, 24))[0])
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				near(t, "a mean", v, moments.X[i]/moments.N, 1e-5) // sums of float32 of size 1 to 3
			}
		})
	}
}
