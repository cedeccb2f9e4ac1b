package weights_test

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes/target"
	"github.com/onnxpass/onnxpass/passes/weights"
)

// deep has layers of several kinds in a row; h is read by two layers through one weight.
const deep = `(float[1,8,12,12] x) => (float[a,b,c] y) <float[16,8,3,3] w1 = random(1), float[16] b1 = random(2),
 float[16,1,3,3] w2 = random(3), float[64,16,1,1] w3 = random(4), float[64] b3 = random(5), float[64,64] w4 = random(6, -0.2, 0.2),
 float[64] b4 = random(7), float[64,32] w5 = random(8, -0.2, 0.2), int64[3] s = {1, 64, -1}> {
 c1 = Conv <pads = [1,1,1,1]> (x, w1, b1)
 r1 = Relu (c1)
 c2 = Conv <group = 16, pads = [1,1,1,1]> (r1, w2)
 r2 = Relu (c2)
 c3 = Conv (r2, w3, b3)
 r3 = Relu (c3)
 f = Reshape (r3, s)
 t = Transpose <perm = [0, 2, 1]> (f)
 m4 = MatMul (t, w4)
 a4 = Add (m4, b4)
 h = Relu (a4)
 m5 = MatMul (h, w4)
 a5 = Add (m5, b4)
 y = MatMul (a5, w5)
}`

// correlated are samples whose pixels depend on each other, as those of pictures do.
func correlated(n int, seed uint64) *calib.Set {
	rng := rand.New(rand.NewPCG(seed, 9))
	var all memory
	for range n {
		x := make([]float32, 8*12*12)
		base, slope := rng.NormFloat64(), rng.NormFloat64()
		for i := range x {
			x[i] = float32(base + slope*math.Sin(float64(i%144)/20+float64(i/144)) + 0.2*rng.NormFloat64())
		}
		b, _ := onnx.FromFloat32s(nil, x).Data.Bytes()
		all = append(all, map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{1, 8, 12, 12}, Bytes: b}})
	}
	return calib.NewSet(all)
}

// walked stores all weights of deep in 4 bits.
func walked(t *testing.T, rt calib.Runner, threads int, o *weights.WalkOptions) (*graph.Model, []*weights.Item) {
	t.Helper()
	m := parse(t, deep, 21)
	found, left := weights.Find(m, weights.FindOptions{MinElements: 100})
	if len(found) != 5 || len(left) != 0 {
		t.Fatalf("%d weights, %v", len(found), left)
	}
	var items []*weights.Item
	for _, w := range found {
		items = append(items, &weights.Item{Weight: w, Format: &weights.Integer{Bits: 4, Target: target.Lookup("openvino"), Threads: threads}})
	}
	c := &calib.Calibration{Runner: rt, Samples: correlated(40, 1), Threads: threads}
	if o == nil {
		for _, it := range items {
			if err := it.Plain(); err != nil {
				t.Fatal(err)
			}
		}
	} else if w, err := weights.Walk(context.Background(), m, c, items, *o); err != nil || w.Layers < 5 || w.Samples != 40 {
		t.Fatalf("%+v, %v", w, err)
	}
	before := m.Edits()
	for _, it := range items {
		if err := it.Store(it.Weight, "test"); err != nil {
			t.Fatal(err)
		}
	}
	if m.Edits() == before {
		t.Fatal("nothing was stored")
	}
	if err := m.Main.Sort(); err != nil {
		t.Fatal(err)
	}
	return m, items
}

// On samples that the walk has not seen each of its means brings the output
// nearer to the original's; together they take away at least nine tenths of the noise of rounding to nearest.
func TestWalk(t *testing.T) {
	rt := orttest.Runner(t)
	original := export(t, parse(t, deep, 21))
	figure := func(o *weights.WalkOptions) float64 {
		m, _ := walked(t, rt, 1, o)
		c, err := calib.Compare(context.Background(), rt, original, export(t, m), correlated(20, 2), calib.CompareOptions{Threads: 1})
		if err != nil {
			t.Fatal(err)
		}
		return c.All.SQNR
	}
	plain := figure(nil)
	bias := figure(&weights.WalkOptions{Bias: true})
	feedback := figure(&weights.WalkOptions{Bias: true, Feedback: true})
	all := figure(&weights.WalkOptions{Bias: true, Feedback: true, Refit: true, Rescale: true})
	if bias < plain+1 || feedback < bias+2 || all < feedback || all < plain+10 {
		t.Errorf("to nearest %.1f dB, with biases %.1f, with feedback %.1f, with all %.1f", plain, bias, feedback, all)
	}
}

// The walk does not depend on the number of threads, leaves the model alone, and reports what it did.
func TestWalkIsDeterministic(t *testing.T) {
	rt := orttest.Runner(t)
	o := weights.WalkOptions{Bias: true, Feedback: true, Refit: true, Rescale: true}
	_, a := walked(t, rt, 1, &o)
	_, b := walked(t, rt, 3, &o)
	for i, it := range a {
		x, _ := it.Stored.Raw()
		y, _ := b[i].Stored.Raw()
		if !slices.Equal(x, y) || it.How != b[i].How {
			t.Errorf("%s: %s and %s differ", it.Value.Name(), it.How, b[i].How)
		}
		shared := it.Value.Name() == "w4"
		if it.Judged == shared || it.After > it.Before || !shared && it.How == weights.HowNearest {
			t.Errorf("%s: %s, judged %v, %g after %g", it.Value.Name(), it.How, it.Judged, it.After, it.Before)
		}
		for k, s := range it.Shifts {
			if other := b[i].Shifts[k]; !slices.Equal(s, other) {
				t.Errorf("%s: shifts %v and %v", it.Value.Name(), s, other)
			}
		}
	}
}

// Layers that fewer positions reach than they have inputs keep their rounding to nearest; the bias is corrected all the same.
func TestWalkOnFewRows(t *testing.T) {
	rt := orttest.Runner(t)
	m := parse(t, `(float[1,256] x) => (float[a,b] y) <float[256,32] w = random(1), float[32] b = random(2)> { y = Gemm (x, w, b) }`, 21)
	found, _ := weights.Find(m, weights.FindOptions{MinElements: 100})
	it := &weights.Item{Weight: found[0], Format: &weights.Integer{Bits: 4, Block: 32, Target: target.Lookup("ort")}}
	rng := rand.New(rand.NewPCG(1, 1))
	var all memory
	for range 60 {
		x := make([]float32, 256)
		for i := range x {
			x[i] = float32(2 + rng.NormFloat64())
		}
		b, _ := onnx.FromFloat32s(nil, x).Data.Bytes()
		all = append(all, map[string]calib.Array{"x": {Type: onnx.Float, Shape: []int64{1, 256}, Bytes: b}})
	}
	c := &calib.Calibration{Runner: rt, Samples: calib.NewSet(all), Threads: 1}
	_, err := weights.Walk(context.Background(), m, c, []*weights.Item{it}, weights.WalkOptions{Bias: true, Feedback: true, Refit: true, Rescale: true})
	if err != nil || it.How != weights.HowNearest || it.Judged || !slices.ContainsFunc(it.Shifts[0], func(v float64) bool { return v != 0 }) {
		t.Errorf("%s, judged %v, shifts %v, %v", it.How, it.Judged, it.Shifts, err)
	}
}
