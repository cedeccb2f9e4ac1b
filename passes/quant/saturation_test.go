package quant

import (
	"context"
	"github.com/onnxpass/onnxpass/calib/ort/orttest"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/graph"
	"github.com/onnxpass/onnxpass/onnx"
	"github.com/onnxpass/onnxpass/passes"
	"github.com/onnxpass/onnxpass/passes/target"
)

// maddubs is VPMADDUBSW on one lane: products of unsigned and signed bytes, added in pairs with saturation in 16 bits.
func maddubs(a [2]uint8, w [2]int8) int16 {
	sum := int32(a[0])*int32(w[0]) + int32(a[1])*int32(w[1])
	return int16(min(max(sum, math.MinInt16), math.MaxInt16))
}

// saturates tries all corners of the limits of one pair, between which the sum is linear.
func saturates(w [2]int8, lo, hi [2]uint8) bool {
	for corner := range 4 {
		a := lo
		for i := range a {
			if corner>>i&1 != 0 {
				a[i] = hi[i]
			}
		}
		if int32(maddubs(a, w)) != int32(a[0])*int32(w[0])+int32(a[1])*int32(w[1]) {
			return true
		}
	}
	return false
}

// A channel is said to be at risk if and only if the instruction saturates for some activations within the limits.
func TestOverflowIsThatOfTheInstruction(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		columns, rows := rapid.IntRange(1, 4).Draw(r, "columns"), rapid.IntRange(1, 9).Draw(r, "rows")
		w := rapid.SliceOfN(rapid.Int8Range(-127, 127), rows*columns, rows*columns).Draw(r, "codes")
		l := codeLimits{}
		for range rows {
			a := []int32{rapid.Int32Range(0, 255).Draw(r, "a"), rapid.Int32Range(0, 255).Draw(r, "b")}
			l.lo, l.hi = append(l.lo, slices.Min(a)), append(l.hi, slices.Max(a))
		}
		p := matrixPacking(1, rows, columns, columns, 1)
		for c, ratio := range overflow(w, p, l) {
			want := false
			for k := 0; k < rows; k += 2 {
				var pair [2]int8
				var lo, hi [2]uint8
				for i := range min(2, rows-k) {
					pair[i], lo[i], hi[i] = w[(k+i)*columns+c], uint8(l.lo[k+i]), uint8(l.hi[k+i])
				}
				want = want || saturates(pair, lo, hi)
			}
			if want != (ratio > 1) {
				r.Fatalf("channel %d: ratio %g, the instruction saturates: %v", c, ratio, want)
			}
		}
	})
}

// After shrink no pair can saturate, no scale has more than doubled, and scales of channels without risk are as they were.
func TestShrink(t *testing.T) {
	m := model(t, head+"main (float[1, 6, 8, 8] x) => (float[1, 32, 8, 8] y) <float[32, 6, 3, 3] w = random(5)> { y = Conv <pads = [1, 1, 1, 1]> (x, w) }")
	for n := range m.All() {
		p, ok := packingOf(n, n.In(1).Const().Dims)
		if !ok || p.outputs != 32 || p.depth != 54 {
			t.Fatalf("%+v", p)
		}
		for _, hi := range []int32{255, 200, 160} {
			w, err := newWeight(n, n.In(1), onnx.Int8)
			if err != nil {
				t.Fatal(err)
			}
			limits, start := codeLimits{[]int32{0}, []int32{hi}}, slices.Clone(w.scale)
			before, _ := w.overflow(p, limits)
			if err := w.shrink(p, limits); err != nil {
				t.Fatal(err)
			}
			growth := w.growth()
			after, _ := w.overflow(p, limits)
			least := math.Inf(1)
			for c := range after {
				f := float64(w.scale[c]) / float64(start[c])
				if after[c] > 1 || f > 2 || f > growth || before[c] <= 1 && f != 1 || before[c] > 1 && f == 1 {
					t.Errorf("codes up to %d, channel %d: ratio %g became %g with a scale %g as large", hi, c, before[c], after[c], f)
				}
				least = min(least, f)
			}
			if hi == 160 && least != 1 {
				t.Error("every channel was changed")
			}
		}
	}
}

// The packing of each operator is the order of its products: their sum is the operator's result.
func TestPackings(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	node := func(body string) *graph.Node {
		for n := range model(t, head+body).All() {
			return n
		}
		return nil
	}
	conv := node("main (float[1, 6, 2, 3] x) => (float[1, 4, 1, 1] y) <float[4, 3, 2, 3] w = random(1)> { y = Conv <group = 2> (x, w) }")
	check := func(n *graph.Node, dims []int64, want func(w, x []float64, c int) float64, positions int) {
		t.Helper()
		p, ok := packingOf(n, dims)
		if !ok {
			t.Fatal("no packing")
		}
		w, x := make([]float64, elements(dims)), make([]float64, p.inputs*positions)
		for i := range w {
			w[i] = rng.Float64()
		}
		for i := range x {
			x[i] = rng.Float64()
		}
		for c := range p.outputs {
			var sum float64
			for k := range p.depth {
				sum += w[p.element(c, k)] * x[p.input(c, k)*positions+k/p.inner]
			}
			if d := sum - want(w, x, c); math.Abs(d) > 1e-9 {
				t.Errorf("%s: channel %d is off by %g", n.Op(), c, d)
			}
		}
	}
	check(conv, []int64{4, 3, 2, 3}, func(w, x []float64, c int) (s float64) {
		for ch := range 3 {
			for pos := range 6 {
				s += w[(c*3+ch)*6+pos] * x[(c/2*3+ch)*6+pos]
			}
		}
		return s
	}, 6)
	transposed := node("main (float[1, 6, 2, 3] x) => (float[1, 4, 3, 5] y) <float[6, 2, 2, 3] w = random(1)> { y = ConvTranspose <group = 2> (x, w) }")
	check(transposed, []int64{6, 2, 2, 3}, func(w, x []float64, c int) (s float64) {
		for ch := range 3 {
			for pos := range 6 {
				s += w[((c/2*3+ch)*2+c%2)*6+pos] * x[(c/2*3+ch)*6+pos]
			}
		}
		return s
	}, 6)
	matrix := func(transposed bool) func(w, x []float64, c int) float64 {
		return func(w, x []float64, c int) (s float64) {
			for k := range 5 {
				if transposed {
					s += w[c*5+k] * x[k]
				} else {
					s += w[k*3+c] * x[k]
				}
			}
			return s
		}
	}
	check(node("main (float[2, 5] x) => (float[2, 3] y) <float[5, 3] w = random(1)> { y = MatMul (x, w) }"), []int64{5, 3}, matrix(false), 1)
	check(node("main (float[2, 5] x) => (float[2, 3] y) <float[5, 3] w = random(1)> { y = Gemm (x, w) }"), []int64{5, 3}, matrix(false), 1)
	check(node("main (float[2, 5] x) => (float[2, 3] y) <float[3, 5] w = random(1)> { y = Gemm <transB = 1> (x, w) }"), []int64{3, 5}, matrix(true), 1)
	check(node("main (float[2, 2, 5] x) => (float[2, 2, 3] y) <float[2, 5, 3] w = random(1)> { y = MatMul (x, w) }"), []int64{2, 5, 3}, func(w, x []float64, c int) (s float64) {
		for k := range 5 {
			s += w[c/3*15+k*3+c%3] * x[k]
		}
		return s
	}, 1)
	if _, ok := packingOf(node("main (float[1, 6, 8, 8] x) => (float[1, 6, 6, 6] y) <float[6, 1, 3, 3] w = random(1)> { y = Conv <group = 6> (x, w) }"), []int64{6, 1, 3, 3}); ok {
		t.Error("a depthwise convolution has no pairs")
	}
}

// The pairs of an odd number of channels are those of both runtimes.
func TestPairs(t *testing.T) {
	p := convPacking([]int{1, 3, 1, 2}, 1)
	if got, want := p.pairs(), [][2]int{{0, 1}, {2, 3}, {4, 5}, {3, 4}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	p = matrixPacking(1, 3, 1, 1, 1)
	if got, want := p.pairs(), [][2]int{{0, 1}, {2, -1}}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// int8 codes are multiplied as unsigned bytes that are 128 higher.
func TestByteOfSignedCodes(t *testing.T) {
	p := Params{Elem: onnx.Int8, Scale: []float32{0.5}, Zero: []int32{0}}
	if a, b := p.byte(-1000), p.byte(1); a != 0 || b != 130 {
		t.Errorf("%d, %d", a, b)
	}
}

// Guarding codes that are within limits changes nothing; codes that grew since are brought back.
func TestGuardAgain(t *testing.T) {
	m := model(t, plainConv)
	rt := orttest.Runner(t)
	p, err := newPlanner(&passes.Env{Model: m, Target: target.Lookup("openvino"), Runner: rt,
		Calib: &calib.Calibration{Runner: rt, Samples: samples(m, 8), Threads: 1}}, Options{Range: MinMax, ISA: ISAAVX2})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.plan(context.Background()); err != nil {
		t.Fatal(err)
	}
	w := p.weightOf(p.layers[0])
	start := slices.Clone(w.scale)
	if err := p.guardSaturation(context.Background()); err != nil {
		t.Fatal(err)
	}
	first := slices.Clone(w.scale)
	if slices.Equal(start, first) {
		t.Fatal("nothing to repair")
	}
	if err := p.guardCodes(); err != nil || !slices.Equal(first, w.scale) {
		t.Errorf("a second look changes scales: %v", err)
	}
	copy(w.scale, start)
	if err := p.guardCodes(); err != nil || !slices.Equal(first, w.scale) {
		t.Errorf("codes that grew are not brought back: %v", err)
	}
}
