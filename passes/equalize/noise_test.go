package equalize

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/onnxpass/onnxpass/calib"
	"github.com/onnxpass/onnxpass/onnx"
)

// observed feeds one array of [1, channels, n] to an observer.
func observed(t testing.TB, channels int, x []float32) *channelStats {
	t.Helper()
	s := newChannelStats("x", 1, channels)
	shape := []int64{1, int64(channels), int64(len(x) / channels)}
	b, err := onnx.FromFloat32s(shape, x).Raw()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Observe(0, []calib.Array{{Type: onnx.Float, Shape: shape, Bytes: b}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// Clipping and rounding errors from the sums agree with those of every single
// element: within 25 %, since a bin of a quarter octave spreads magnitudes by
// 19 % around its middle, and few elements make up most of what is clipped.
func TestChannelError(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		x := make([]float32, 500)
		spread := rapid.Float64Range(0.2, 0.8).Draw(r, "spread")
		rng := rapid.Uint64().Draw(r, "seed")
		for i := range x {
			rng = rng*6364136223846793005 + 1442695040888963407
			u := float64(rng>>11) / (1 << 53)
			rng = rng*6364136223846793005 + 1442695040888963407
			v := float64(rng>>11) / (1 << 53)
			x[i] = float32(math.Exp(spread*math.Sqrt(-2*math.Log(u+1e-12))*math.Cos(2*math.Pi*v))) * float32(1-2*(i%3/2))
		}
		s := observed(t, 1, x)
		m := &model{coding: asymmetric, stats: s, pos: make([]moments, 1), neg: make([]moments, 1)}
		m.pos[0].fill(s.pos, s.hi[0])
		m.neg[0].fill(s.neg, -s.lo[0])
		cut := rapid.Float64Range(0.1, 0.4).Draw(r, "cut")
		f := rapid.Float64Range(0.1, 1).Draw(r, "factor")
		x0 := rng0(s, cut, f)
		got, _ := m.channelError(0, f, x0)
		step := (x0.hi - x0.lo) / 255
		var want float64
		for _, v := range x {
			y := float64(v) / f
			q := min(max(math.RoundToEven(y/step)*step, x0.lo), x0.hi)
			want += (q - y) * (q - y) * f * f
		}
		if math.Abs(got-want) > 0.25*want+1e-9 {
			r.Fatalf("error %g, element by element %g", got, want)
		}
	})
}

func rng0(s *channelStats, cut, f float64) rng { return rng{s.lo[0] / f * cut, s.hi[0] / f * cut} }

// Extremes are exact, and so are counts when a channel has few positions; a
// channel of zeros has no bins.
func TestChannelStats(t *testing.T) {
	s := observed(t, 3, []float32{1, -2, 0, 0, 4, 0.5})
	if s.lo[0] != -2 || s.hi[0] != 1 || s.hi[2] != 4 || s.lo[1] != 0 || s.zeros[1] != 2 {
		t.Errorf("%v %v %v", s.lo, s.hi, s.zeros)
	}
	if s.pos[2*bars+bar(4)] != 1 || s.pos[2*bars+bar(0.5)] != 1 || s.neg[bar(2)] != 1 {
		t.Error("bins")
	}
	if broken := observed(t, 2, []float32{1, float32(math.Inf(1))}); broken.usable() {
		t.Error("an infinity went unnoticed")
	}
	for i := range bars {
		if got := bar(float32(middle(i))); got != i {
			t.Fatalf("the middle of bin %d lies in bin %d", i, got)
		}
	}
}

// A depthwise layer with one channel a hundred times as large as the others
// gets factors that even them out; equal channels get none.
func TestChoose(t *testing.T) {
	loud := func(k float32) float64 {
		x := make([]float32, 8*256)
		for i := range x {
			x[i] = float32(math.Sin(float64(i)*0.7)) * 0.5
			if i/256 == 3 {
				x[i] *= k
			}
		}
		s := observed(t, 8, x)
		m := measured(s, asymmetric)
		m.loads = []load{{inputs: inputs{channels: 8, outputs: 8, groups: 8}, gain: make([]float64, 8), signal: 1}}
		c := &class{channels: 8}
		c.choose([]*model{m})
		return c.gain()
	}
	if g := loud(100); g < 15 {
		t.Errorf("one loud channel: gain %.1f dB", g)
	}
	if g := loud(1); g > 0.5 {
		t.Errorf("equal channels: gain %.1f dB", g)
	}
}

// Of channels that are alike but for their size each gets as much of the codes
// as the others, also where they lie on different sides of zero.
func TestSpans(t *testing.T) {
	size := []float64{1, 0.1, 0.01, 5}
	x := make([]float32, 4*256)
	for i := range x {
		x[i] = float32(size[i/256] * (math.Sin(float64(i%256)*0.7) + 0.8))
	}
	for _, k := range []coding{asymmetric, symmetric} {
		got := measured(observed(t, 4, x), k).spans()
		for c, s := range size {
			if r := got[c] / (s / 5); r < 0.8 || r > 1.25 {
				t.Errorf("coding %d, channel %d: %g instead of about %g", k, c, got[c], s/5)
			}
		}
	}
}

// In front of SiLU a channel that is never positive reaches far, and behind it
// hardly anywhere. Where both are divided, the factors are a compromise.
func TestBeforeGate(t *testing.T) {
	x, y := make([]float32, 2*256), make([]float32, 2*256)
	for i := range x {
		x[i] = float32(8 * math.Sin(float64(i)*0.7))
		if i >= 256 {
			x[i] = -3 + 2.5*float32(math.Sin(float64(i)*0.7))
		}
		y[i] = float32(float64(x[i]) / (1 + math.Exp(-float64(x[i]))))
	}
	m := measured(observed(t, 2, y), asymmetric)
	m.loads = []load{{inputs: inputs{channels: 2, outputs: 2, groups: 2}, gain: make([]float64, 2), signal: 1}}
	alone, both := &class{channels: 2}, &class{channels: 2}
	alone.choose([]*model{m})
	before := measured(observed(t, 2, x), asymmetric)
	before.weigh = before.throughGate(m.spread)
	both.choose([]*model{m}, before)
	noise := func(c *class) float64 { return m.noise(c.factors) + before.noise(c.factors) }
	if alone.factors[1] >= both.factors[1] {
		t.Errorf("factor %g with the tensor in front of the gate, %g without", both.factors[1], alone.factors[1])
	}
	if noise(both) >= noise(alone) {
		t.Errorf("noise %g with the tensor in front of the gate, %g without", noise(both), noise(alone))
	}
	for _, v := range []float64{-5, -1, 0, 2, 7} {
		const d = 1e-5
		silu := func(x float64) float64 { return x / (1 + math.Exp(-x)) }
		if got, want := slope(v), (silu(v+d)-silu(v-d))/(2*d); math.Abs(got-want) > 1e-6 {
			t.Errorf("slope at %g: %g instead of %g", v, got, want)
		}
	}
}
